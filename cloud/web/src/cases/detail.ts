import { onScopeDispose, shallowReactive } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Action, CaseDetail, CaseSummary, HistoryEntry, Reason } from '@/api/types'
import { useLive } from '@/live/feed'
import { useSettled } from '@/time/settle'

export interface Decision {
  action: Action
  reason?: Reason | undefined
  note?: string | undefined
  department?: number | undefined
  person?: number | undefined
  target?: number | undefined
  until?: string | undefined
  rating?: number | undefined
}

export interface CaseView {
  detail: CaseDetail | null
  problem: Problem | null
  loading: boolean
  /** The action that is on its way. */
  sending: Action | null
  /** Why the last action was not taken. */
  refusal: Problem | null
  /** When somebody else moved the case: what he did, null if the history does not tell. Undefined: nobody did. */
  rival: HistoryEntry | null | undefined
  load: () => Promise<void>
  decide: (decision: Decision) => Promise<boolean>
}

/** What stands in the newer history beyond the older one, the last step of a person first. */
export function rivalOf(before: readonly HistoryEntry[], after: readonly HistoryEntry[]): HistoryEntry | null {
  return after.slice(before.length).findLast((entry) => entry.actor !== null) ?? after.slice(before.length).at(-1) ?? null
}

/** Beyond this, when a case began and when it was told of are two things that a person must know. */
const LATE_MS = 60_000

/** Whether the case reached the service noticeably after it began. */
export function toldLate({ started_at: began, opened_at: told }: Pick<CaseSummary, 'started_at' | 'opened_at'>): boolean {
  return Date.parse(told) - Date.parse(began) > LATE_MS
}

/** A case that goes on is told of every few seconds. */
const RELOAD_GAP_MS = 2000

/**
 * One case as the page shows it.
 *
 * Nothing is shown as done before the service has said so: a verdict is worth the wait of one request.
 */
export function useCase(id: number): CaseView {
  let latest = 0
  let alive = true
  const view = shallowReactive<CaseView>({
    detail: null,
    problem: null,
    loading: true,
    sending: null,
    refusal: null,
    rival: undefined,
    load,
    decide,
  })

  function show(detail: CaseDetail): void {
    if (alive && detail.version >= (view.detail?.version ?? 0)) view.detail = detail
  }

  /** A colleague's step that arrives while one looks at the case, or is about to judge it, must not pass without a word. */
  function notice(before: CaseDetail | null, after: CaseDetail): void {
    if (before === null || view.sending !== null || after.version <= before.version) return
    const entry = rivalOf(before.history, after.history)
    if (entry !== null && entry.actor !== null) view.rival = entry
  }

  async function load(): Promise<void> {
    latest += 1
    const mine = latest
    view.loading = true
    try {
      const detail = await take(api.GET('/api/v1/cases/{case_id}', { params: { path: { case_id: id } } }))
      notice(view.detail, detail)
      show(detail)
      view.problem = null
    } catch (thrown) {
      if (mine === latest) view.problem = asProblem(thrown)
    } finally {
      if (mine === latest) view.loading = false
    }
  }

  async function decide(decision: Decision): Promise<boolean> {
    const before = view.detail
    if (before === null || view.sending !== null) return false
    view.sending = decision.action
    view.refusal = null
    view.rival = undefined
    try {
      const body = { ...decision, version: before.version }
      show(await take(api.POST('/api/v1/cases/{case_id}/actions', { params: { path: { case_id: id } }, body })))
      return true
    } catch (thrown) {
      const refusal = asProblem(thrown)
      if (refusal.kind === 'conflict') {
        await load()
        view.rival = rivalOf(before.history, view.detail?.history ?? [])
      } else {
        view.refusal = refusal
      }
      return false
    } finally {
      view.sending = null
    }
  }

  // The version tells of what a person must have seen before he acts; an end, a picture or a longer stay come without a new one.
  const soon = useSettled(() => void load(), RELOAD_GAP_MS)
  useLive('case.updated', (summary) => {
    const known = view.detail?.version ?? 0
    if (summary.id !== id || summary.version < known) return
    if (summary.version > known) void load()
    else soon()
  })
  useLive('resync', () => void load())
  onScopeDispose(() => { alive = false })
  void load()
  return view
}
