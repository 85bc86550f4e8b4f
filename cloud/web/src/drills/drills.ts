import { readonly, shallowReactive } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Drill } from '@/api/types'
import { instant } from '@/time/format'

interface Running {
  items: readonly Drill[]
  problem: Problem | null
}

const state = shallowReactive<Running>({ items: [], problem: null })
let asked = 0

/** What is exercised in my area now: for the banner over every page. */
export const drills = {
  state: readonly(state),
  load: async (): Promise<void> => {
    const mine = ++asked
    try {
      const current = await take(api.GET('/api/v1/drills/current'))
      if (mine === asked) Object.assign(state, { items: current.items, problem: null })
    } catch (thrown) {
      // What was known to run stays on the screen: a banner that goes by mistake would pass an exercise off as real.
      if (mine === asked) state.problem = asProblem(thrown)
    }
  },
  clear: (): void => {
    asked += 1
    Object.assign(state, { items: [], problem: null })
  },
}

/** Those that have not come to their planned end by the clock of this page, the one that ends next first. */
export function lasting(items: readonly Drill[], now: number): Drill[] {
  return items.filter((drill) => drill.running && instant(drill.planned_end_at) > now).sort((a, b) => instant(a.planned_end_at) - instant(b.planned_end_at))
}

/** A time that a form chose, as many hours from now, as the service takes it. */
export function hoursFrom(now: number, hours: number): string {
  return new Date(now + hours * 3_600_000).toISOString()
}

/** `node/device` of a list as the service takes it. */
export function sourceOf(words: string): { node: string; device: string | null; rule: string } {
  const [node = '', device = ''] = words.split('/', 2)
  return { node, device: device === '' ? null : device, rule: '' }
}

/** A span of seconds in words: `1 h 05 min`, `42 s`. */
export function span(seconds: number | null): string {
  if (seconds === null) return '–'
  if (seconds < 60) return `${String(Math.round(seconds))} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${String(minutes)} min` : `${String(Math.floor(minutes / 60))} h ${String(minutes % 60).padStart(2, '0')} min`
}
