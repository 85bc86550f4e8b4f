import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { asProblem, type Problem } from './problem'

export interface Resource<T> {
  data: ShallowRef<T | null>
  problem: ShallowRef<Problem | null>
  loading: Ref<boolean>
  /** Loads again; what was there stays on the screen until the answer comes. */
  load: () => Promise<void>
}

/** Something the service knows, as a page shows it. Of overlapping loads only the last one counts. */
export function useResource<T>(ask: () => Promise<T>): Resource<T> {
  const data = shallowRef<T | null>(null)
  const problem = shallowRef<Problem | null>(null)
  const loading = ref(false)
  let latest = 0

  async function load(): Promise<void> {
    latest += 1
    const mine = latest
    loading.value = true
    try {
      const answer = await ask()
      if (mine !== latest) return
      data.value = answer
      problem.value = null
    } catch (thrown) {
      if (mine === latest) problem.value = asProblem(thrown)
    } finally {
      if (mine === latest) loading.value = false
    }
  }

  return { data, problem, loading, load }
}
