import { onScopeDispose, ref, type Ref, shallowReactive, watch } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { WallCamera } from '@/api/types'
import { useLive } from '@/live/feed'
import { session } from '@/session/session'
import { useEach, useSettled } from '@/time/settle'

export const MOST_CAMERAS = 16
const PAGE = 200
/** More cameras than one person can choose from; beyond it the page says so. */
const LIMIT = 1000
const RENEW_EACH_MS = 10_000
const LOOK_EACH_MS = 2000
const RELOAD_GAP_MS = 5000
const KEPT = 'gridward.wall'

/** Each page has leases of its own, so that two windows of one person do not end each other's. */
function pageName(): string {
  return Array.from(globalThis.crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

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

/** What this person chose in this window, so that a reload does not lose it; it ends with the window, and so does its purpose. */
export function kept(user: number | null): Chosen {
  try {
    const found: unknown = JSON.parse(globalThis.sessionStorage.getItem(KEPT) ?? 'null')
    if (typeof found === 'object' && found !== null && 'user' in found && 'cameras' in found && 'purpose' in found) {
      const { cameras, purpose } = found
      // Whoever signs in next is not recorded with the cameras and the purpose of the one before.
      if (user !== null && found.user === user && Array.isArray(cameras) && typeof purpose === 'string') {
        return { cameras: cameras.filter((one): one is number => Number.isSafeInteger(one)).slice(0, MOST_CAMERAS), purpose }
      }
    }
  } catch {
    // A browser that keeps nothing still shows the page.
  }
  return { cameras: [], purpose: '' }
}

function keep(user: number | null, chosen: Chosen): void {
  try {
    globalThis.sessionStorage.setItem(KEPT, JSON.stringify({ user, ...chosen }))
  } catch {
    // As above.
  }
}

/** The wall of this page: leases are renewed while it is seen, run out while it is hidden, and end when it is left. */
export function useWall(): { wall: Wall; choose: (chosen: Chosen) => void; retry: () => void } {
  const user = session.state.user?.id ?? null
  const page = pageName()
  const wall = shallowReactive<Wall>({ tiles: [], chosen: kept(user), problem: null, paused: document.hidden })
  let renewals = 0
  let looks = 0
  let left = false
  /** That the leases were not renewed stays to be read until they are: what is looked up meanwhile says nothing of it. */
  let refused = false

  const wanted = (): boolean => !wall.paused && wall.chosen.cameras.length > 0

  function show(items: WallCamera[]): void {
    const found = new Map(items.map((item) => [item.id, item]))
    wall.tiles = wall.chosen.cameras.flatMap((id) => found.get(id) ?? [])
  }

  /** What is gone, or in this person's area no more, is asked for no more. */
  function drop(there: ReadonlySet<number>): void {
    const cameras = wall.chosen.cameras.filter((id) => there.has(id))
    if (cameras.length === wall.chosen.cameras.length) return
    wall.chosen = { ...wall.chosen, cameras }
    keep(user, wall.chosen)
  }

  async function renew(): Promise<void> {
    renewals += 1
    const mine = renewals
    const { cameras, purpose } = wall.chosen
    try {
      const { items } = await take(api.POST('/api/v1/wall/leases', { body: { cameras, purpose, page } }))
      if (mine !== renewals || left) return
      drop(new Set(items.map((item) => item.id)))
      show(items)
      refused = false
      wall.problem = null
    } catch (thrown) {
      if (mine !== renewals || left) return
      refused = true
      wall.problem = asProblem(thrown)
      if (wall.problem.kind !== 'missing') return
      drop(new Set())
      show([])
    }
  }

  async function look(): Promise<void> {
    looks += 1
    const [mine, since] = [looks, renewals]
    const isNewest = (): boolean => mine === looks && since === renewals && !left
    try {
      const { items } = await take(api.GET('/api/v1/wall', { params: { query: { watched: true, limit: PAGE } } }))
      if (!isNewest()) return
      show(items)
      if (!refused) wall.problem = null
    } catch (thrown) {
      if (isNewest() && !refused) wall.problem = asProblem(thrown)
    }
  }

  function choose(chosen: Chosen): void {
    renewals += 1 // what was asked for before says nothing of these
    refused = false
    wall.problem = null
    wall.chosen = chosen
    keep(user, chosen)
    if (chosen.cameras.length === 0) wall.tiles = []
    if (!wall.paused) void (chosen.cameras.length === 0 ? end() : renew())
  }

  async function end(): Promise<void> {
    try {
      await take(api.DELETE('/api/v1/wall/leases', { params: { query: { page } } }))
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
