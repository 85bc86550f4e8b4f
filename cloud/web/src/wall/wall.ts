import { onScopeDispose, ref, type Ref, shallowReactive, watch } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { WallCamera } from '@/api/types'
import { useLive } from '@/live/feed'
import { useEach, useSettled } from '@/time/settle'

export const MOST_CAMERAS = 16
const PAGE = 200
/** More cameras than one person can choose from; beyond it the page says so. */
const LIMIT = 1000
const RENEW_EACH_MS = 10_000
const LOOK_EACH_MS = 2000
const RELOAD_GAP_MS = 5000
const KEPT = 'gridward.wall'

export interface Chosen {
  cameras: number[]
  purpose: string
}

export interface Wall {
  /** What somebody looks at, in the order in which he chose it. */
  tiles: readonly WallCamera[]
  chosen: Chosen
  problem: Problem | null
  /** Nothing is asked for while the page is hidden: the leases run out. */
  paused: boolean
}

/** What was chosen in this window, so that a reload does not lose it; it ends with the window, and so does its purpose. */
export function kept(): Chosen {
  try {
    const found: unknown = JSON.parse(globalThis.sessionStorage.getItem(KEPT) ?? 'null')
    if (typeof found === 'object' && found !== null && 'cameras' in found && 'purpose' in found) {
      const { cameras, purpose } = found
      if (Array.isArray(cameras) && typeof purpose === 'string') {
        return { cameras: cameras.filter((one): one is number => Number.isSafeInteger(one)).slice(0, MOST_CAMERAS), purpose }
      }
    }
  } catch {
    // A browser that keeps nothing still shows the page.
  }
  return { cameras: [], purpose: '' }
}

function keep(chosen: Chosen): void {
  try {
    globalThis.sessionStorage.setItem(KEPT, JSON.stringify(chosen))
  } catch {
    // As above.
  }
}

/** The wall of this page: leases are renewed while it is seen, run out while it is hidden, and end when it is left. */
export function useWall(): { wall: Wall; choose: (chosen: Chosen) => void; retry: () => void } {
  const wall = shallowReactive<Wall>({ tiles: [], chosen: kept(), problem: null, paused: document.hidden })
  let latest = 0
  let left = false

  async function ask(question: () => Promise<{ items: WallCamera[] }>): Promise<void> {
    latest += 1
    const mine = latest
    try {
      const { items } = await question()
      if (mine !== latest || left) return
      const found = new Map(items.map((item) => [item.id, item]))
      wall.tiles = wall.chosen.cameras.flatMap((id) => found.get(id) ?? [])
      wall.problem = null
    } catch (thrown) {
      if (mine === latest) wall.problem = asProblem(thrown)
    }
  }

  const wanted = (): boolean => !wall.paused && wall.chosen.cameras.length > 0
  const renew = (): Promise<void> => ask(() => take(api.POST('/api/v1/wall/leases', { body: { cameras: wall.chosen.cameras, purpose: wall.chosen.purpose } })))
  const look = (): Promise<void> => ask(() => take(api.GET('/api/v1/wall', { params: { query: { watched: true, limit: PAGE } } })))

  function choose(chosen: Chosen): void {
    wall.chosen = chosen
    keep(chosen)
    if (chosen.cameras.length === 0) wall.tiles = []
    if (!wall.paused) void (chosen.cameras.length === 0 ? end() : renew())
  }

  async function end(): Promise<void> {
    try {
      await take(api.DELETE('/api/v1/wall/leases'))
    } catch {
      // They run out by themselves.
    }
  }

  function onVisibility(): void {
    wall.paused = document.hidden
    if (wanted()) void renew()
  }

  document.addEventListener('visibilitychange', onVisibility)
  useEach(RENEW_EACH_MS, () => { if (wanted()) void renew() })
  useEach(LOOK_EACH_MS, () => { if (wanted() && wall.tiles.length > 0) void look() })
  onScopeDispose(() => {
    left = true
    document.removeEventListener('visibilitychange', onVisibility)
    if (wall.chosen.cameras.length > 0) void end()
  })
  if (wanted()) void renew()
  return { wall, choose, retry: () => void renew() }
}

export interface CameraList {
  items: Ref<readonly WallCamera[]>
  cut: Ref<boolean>
  loading: Ref<boolean>
  problem: Ref<Problem | null>
  load: () => Promise<void>
}

/** The cameras in this person's area, read when the choice is opened. */
export function useCameras(open: () => boolean): CameraList {
  const items = ref<readonly WallCamera[]>([])
  const cut = ref(false)
  const loading = ref(false)
  const problem = ref<Problem | null>(null) as Ref<Problem | null>

  async function load(): Promise<void> {
    loading.value = true
    try {
      const found: WallCamera[] = []
      let after: string | null = null
      do {
        const query: { limit: number; after?: string } = after === null ? { limit: PAGE } : { limit: PAGE, after }
        const page = await take(api.GET('/api/v1/wall', { params: { query } }))
        found.push(...page.items)
        after = page.next
      } while (after !== null && found.length < LIMIT)
      items.value = found
      cut.value = after !== null
      problem.value = null
    } catch (thrown) {
      problem.value = asProblem(thrown)
    } finally {
      loading.value = false
    }
  }

  // Cameras come when their node does, which may be while somebody waits for them here.
  const again = useSettled(() => { if (open() && !loading.value) void load() }, RELOAD_GAP_MS)
  useLive('device.presence', again)
  useLive('node.presence', again)
  useLive('resync', again)
  useEach(RELOAD_GAP_MS, () => { if (items.value.length === 0) again() })
  watch(open, (opened) => { if (opened) void load() }, { immediate: true })
  return { items, cut, loading, problem, load }
}
