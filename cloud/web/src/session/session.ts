import { readonly, shallowReactive } from 'vue'
import { api, onSignedOut, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Role, User } from '@/api/types'

interface SessionState {
  user: User | null
  /** The password was made by somebody else: until it is changed it opens nothing. */
  mustChange: boolean
  /** True when a session that had begun was ended by the service. */
  ended: boolean
  /** Why it is not known whether somebody is signed in. */
  problem: Problem | null
}

const state = shallowReactive<SessionState>({ user: null, mustChange: false, ended: false, problem: null })
let restoring: Promise<void> | null = null
/** While the person is leaving, the live stream may hear of the end first: that is no end by the service. */
let leaving = false

function end(): void {
  if (state.user === null) return
  state.user = null
  state.ended = !leaving
}

onSignedOut(end)

async function ask(): Promise<void> {
  try {
    const answer = await take(api.GET('/api/v1/session'))
    state.user = answer.user
    state.mustChange = answer.must_change_password
    state.problem = null
  } catch (thrown) {
    const problem = asProblem(thrown)
    state.problem = problem.kind === 'signed-out' ? null : problem
    if (state.problem !== null) restoring = null
  }
}

/** Who sits in front of the page. The cookie is the browser's secret; the page keeps no token. */
export const session = {
  state: readonly(state),
  /** Asks once who is signed in; asks again only where the service gave no answer. */
  restore: (): Promise<void> => (restoring ??= ask()),
  signIn: async (name: string, password: string): Promise<void> => {
    const answer = await take(api.POST('/api/v1/session', { body: { name, password } }))
    state.user = answer.user
    state.mustChange = answer.must_change_password
    state.ended = false
    state.problem = null
  },
  changePassword: async (current: string, password: string): Promise<void> => {
    await take(api.POST('/api/v1/session/password', { body: { current, password } }))
    state.mustChange = false
  },
  signOut: async (): Promise<void> => {
    leaving = true
    try {
      await take(api.DELETE('/api/v1/session'))
    } finally {
      leaving = false
      state.user = null
      state.ended = false
    }
  },
  end,
}

/** Whether the person has one of the roles. */
export function hasRole(...roles: Role[]): boolean {
  return state.user !== null && roles.includes(state.user.role)
}
