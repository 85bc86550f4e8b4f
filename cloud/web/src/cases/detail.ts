import { onScopeDispose, shallowReactive } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Action, CaseDetail, HistoryEntry, Reason } from '@/api/types'
import { useLive } from '@/live/feed'

export interface Decision {
  action: Action
  reason?: Reason | undefined
  note?: string | undefined
}

export interface CaseView {
  detail: CaseDetail | null
  problem: Problem | null
  loading: boolean
  /** The action that is on its way. */
  sending: Action | null
  /** Why the last action was not taken. */
  refusal: Problem | null
  /** When somebody was faster: what he did, null if the history does not tell. Undefined: nobody was. */
  rival: HistoryEntry | null | undefined
  load: () => Promise<void>
  decide: (decision: Decision) => Promise<boolean>
}

/** What stands in the newer history beyond the older one, the last step of a person first. */
export function rivalOf(before: readonly HistoryEntry[], after: readonly HistoryEntry[]): HistoryEntry | null {
  return after.slice(before.length).findLast((entry) => entry.actor !== null) ?? after.slice(before.length).at(-1) ?? null
}

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

  async function load(): Promise<void> {
    latest += 1
    const mine = latest
    view.loading = true
    try {
      const detail = await take(api.GET('/api/v1/cases/{case_id}', { params: { path: { case_id: id } } }))
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

  useLive('case.updated', (summary) => {
    if (summary.id === id && summary.version > (view.detail?.version ?? 0)) void load()
  })
  useLive('resync', () => void load())
  onScopeDispose(() => { alive = false })
  void load()
  return view
}
