import { shallowReactive, readonly } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { NoticeThread } from '@/api/types'

interface Inbox {
  threads: readonly NoticeThread[]
  unseen: number
  problem: Problem | null
}

const state = shallowReactive<Inbox>({ threads: [], unseen: 0, problem: null })
let asked = 0

/** A page of what I was told; an answer that was overtaken by a newer one is dropped. */
async function keep(call: () => Promise<{ items: NoticeThread[]; unseen: number }>): Promise<void> {
  const mine = ++asked
  try {
    const page = await call()
    if (mine === asked) Object.assign(state, { threads: page.items, unseen: page.unseen, problem: null })
  } catch (thrown) {
    if (mine === asked) state.problem = asProblem(thrown)
  }
}

/** What I was told: one thread for each case. */
export const notices = {
  state: readonly(state),
  load: (): Promise<void> => keep(() => take(api.GET('/api/v1/notices', { params: { query: { limit: 30 } } }))),
  /** Marks up to the newest that stands in the list; what came meanwhile stays new. */
  see: async (thread?: NoticeThread): Promise<void> => {
    const upto = thread?.id ?? state.threads[0]?.id
    if (upto === undefined) return
    const caseId = thread?.case_id ?? null
    const alone = thread !== undefined && caseId === null
    await keep(() => take(api.POST('/api/v1/notices/seen', { body: { upto, case_id: caseId, alone } })))
  },
  clear: (): void => {
    asked += 1
    Object.assign(state, { threads: [], unseen: 0, problem: null })
  },
}

/** What stands on the bell: more than that nobody counts. */
export function badge(unseen: number): string {
  return unseen > 99 ? '99+' : String(unseen)
}
