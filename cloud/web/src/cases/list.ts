import { onScopeDispose, shallowReactive, watch, type Ref } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { CasePage, CaseSummary } from '@/api/types'
import { useLive } from '@/live/feed'
import { type CaseFilter, lightIn, matches } from './filter'
import { type Change, dueFirst, newestFirst, Roster } from './roster'

const PAGE = 50

export interface CaseList {
  items: readonly CaseSummary[]
  next: string | null
  cut: boolean
  loading: boolean
  problem: Problem | null
  /** Cases that were added live within the last seconds. */
  fresh: ReadonlySet<number>
  reload: () => Promise<void>
  more: () => Promise<void>
}

const FRESH_MS = 6000

function page(filter: CaseFilter, after: string | null): Promise<CasePage> {
  const { severity, status, area, kind, order } = filter
  const query = {
    limit: PAGE,
    open: status === 'open',
    status: status === null || status === 'open' ? undefined : [status],
    severity: severity === null ? undefined : [severity],
    area: area ?? undefined,
    kind: kind === null ? undefined : [kind],
    order: order === 'newest' ? ('newest' as const) : ('due' as const),
    light: lightIn(order) ?? undefined,
    after: after ?? undefined,
  }
  return take(api.GET('/api/v1/cases', { params: { query } }))
}

/** The case list of a filter, kept current by the live stream; `onOpened` is told of each new case that belongs into it. */
export function useCaseList(
  filter: Ref<CaseFilter>,
  parents: Ref<ReadonlyMap<string, string | null>>,
  onOpened: (summary: CaseSummary) => void,
): CaseList {
  let roster = roll()
  const timers = new Set<ReturnType<typeof setTimeout>>()
  const list = shallowReactive<CaseList>({
    items: [],
    next: null,
    cut: false,
    loading: true,
    problem: null,
    fresh: new Set(),
    reload,
    more,
  })

  function roll(): Roster {
    const now = filter.value
    return new Roster((summary) => matches(summary, now, parents.value), now.order === 'newest' ? newestFirst : dueFirst)
  }

  function show(): void {
    list.items = roster.items
    list.next = roster.next
    list.cut = roster.cut
  }

  async function load(ask: () => Promise<CasePage>, accept: (into: Roster, answer: CasePage) => void): Promise<void> {
    const into = roster
    list.loading = true
    try {
      const answer = await ask()
      if (into !== roster) return
      accept(into, answer)
      list.problem = null
      show()
    } catch (thrown) {
      if (into === roster) list.problem = asProblem(thrown)
    } finally {
      if (into === roster) list.loading = false
    }
  }

  async function reload(): Promise<void> {
    roster.begin()
    await load(() => page(filter.value, null), (into, answer) => { into.settle(answer) })
  }

  async function more(): Promise<void> {
    const after = roster.next
    if (after === null || list.loading) return
    await load(() => page(filter.value, after), (into, answer) => { into.append(answer) })
  }

  function apply(summary: CaseSummary): Change {
    const change = roster.apply(summary)
    if (change !== 'ignored') show()
    return change
  }

  function flash(id: number): void {
    list.fresh = new Set([...list.fresh, id])
    const timer = setTimeout(() => {
      timers.delete(timer)
      list.fresh = new Set([...list.fresh].filter((one) => one !== id))
    }, FRESH_MS)
    timers.add(timer)
  }

  useLive('case.opened', (summary) => {
    const change = apply(summary)
    if (change !== 'added' && change !== 'beyond') return
    if (change === 'added') flash(summary.id)
    onOpened(summary)
  })
  useLive('case.updated', apply)
  useLive('resync', () => void reload())
  watch(filter, () => {
    roster = roll()
    show()
    void reload()
  })
  onScopeDispose(() => { timers.forEach(clearTimeout) })
  void reload()
  return list
}
