import { onScopeDispose } from 'vue'

/** Calls `act` soon after it is wished for, but at most once per `gapMs`: many events make one request. */
export function useSettled(act: () => void, gapMs: number): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let last = 0
  onScopeDispose(() => { clearTimeout(timer) })
  return () => {
    if (timer !== undefined) return
    const wait = Math.max(250, last + gapMs - Date.now())
    timer = setTimeout(() => {
      timer = undefined
      last = Date.now()
      act()
    }, wait)
  }
}

/** Calls `act` again and again as long as the component lives. */
export function useEach(eachMs: number, act: () => void): void {
  const timer = setInterval(act, eachMs)
  onScopeDispose(() => { clearInterval(timer) })
}
