import { onScopeDispose, readonly, shallowReactive } from 'vue'
import type { LiveEvents, LiveName } from './event'
import { LiveStream, type StreamView } from './stream'

const view = shallowReactive<StreamView>({ state: 'connecting', heardAt: null, unreadable: 0 })
let signedOut: () => void = () => undefined

const stream = new LiveStream({
  url: '/api/v1/live',
  onView: (change) => Object.assign(view, change),
  onSignedOut: () => { signedOut() },
  // Another role or area: nothing that this page has loaded is to be kept.
  onOtherScope: () => { globalThis.location.reload() },
})

/** The page's one live stream. */
export const feed = {
  view: readonly(view),
  start: (onSignedOut: () => void): void => {
    signedOut = onSignedOut
    stream.start()
    globalThis.addEventListener('online', retry)
  },
  stop: (): void => {
    globalThis.removeEventListener('online', retry)
    stream.stop()
  },
  retry,
}

function retry(): void {
  stream.retry()
}

/** Listens as long as the component lives. */
export function useLive<N extends LiveName>(name: N, handler: (payload: LiveEvents[N]) => void): void {
  onScopeDispose(stream.on(name, handler))
}
