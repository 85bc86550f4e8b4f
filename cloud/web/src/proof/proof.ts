import type { HistoryEntry, Hold, Role, SealedOriginal, Unsealing, User } from '@/api/types'
import { instant } from '@/time/format'

/** What the service takes as a reason, a purpose or a word on an ending. */
export const SHORTEST = 3
export const LONGEST = 500

const IN_CHARGE: readonly Role[] = ['duty_chief', 'administrator']

/** What a role may do with proof. The service decides; the page only does not offer what it would refuse. */
export interface Rights {
  readsHolds: boolean
  holds: boolean
  readsOriginals: boolean
  /** Not an administrator: whoever makes accounts does not look at what two people have to open. */
  asks: boolean
  decides: boolean
}

export function rightsOf(role: Role | null): Rights {
  const inCharge = role !== null && IN_CHARGE.includes(role)
  return {
    readsHolds: inCharge || role === 'auditor',
    holds: inCharge,
    readsOriginals: inCharge || role === 'grid_lead' || role === 'auditor',
    asks: role === 'duty_chief' || role === 'grid_lead',
    decides: inCharge,
  }
}

/** Whether a hold holds at a time; one whose end has come holds no more, though nobody lifted it. */
export function standingOf(hold: Hold, now: number): 'holding' | 'lifted' | 'over' {
  if (hold.lifted_at !== null) return 'lifted'
  return hold.until !== null && instant(hold.until) <= now ? 'over' : 'holding'
}

/** How many steps of the history are of holds, or of unsealing: what is shown is asked for again when they grow. */
export function stepsOf(history: readonly HistoryEntry[], of: 'hold_' | 'unseal'): number {
  return history.filter((entry) => entry.action.startsWith(of)).length
}

/** What has been asked for and is not over: nobody asks for the same meanwhile. */
const OPEN: ReadonlySet<Unsealing['state']> = new Set(['waiting', 'allowed', 'fetching', 'ready'])

export function isOpen(request: Unsealing): boolean {
  return OPEN.has(request.state)
}

/** What a person can do with a request: decide on another's, take one's own when it is ready. */
export function actOf(request: Unsealing, user: User | null): 'decide' | 'take' | null {
  if (user === null) return null
  const own = request.asked_by === user.name
  const rights = rightsOf(user.role)
  if (request.state === 'waiting' && rights.decides && !own) return 'decide'
  return request.state === 'ready' && rights.asks && own ? 'take' : null
}

/** A sealed file with what was asked of it; `original` is null where the case has the file no more. */
export interface Asked {
  sha256: string
  original: SealedOriginal | null
  requests: Unsealing[]
  /** Whether the person can ask for it now. */
  askable: boolean
}

/** The files of a case with their requests, as the service orders them; then what is no more there, but was asked for. */
export function asked(originals: readonly SealedOriginal[], requests: readonly Unsealing[], user: User | null): Asked[] {
  const may = rightsOf(user?.role ?? null).asks
  const names = new Set(originals.map((one) => one.sha256))
  const gone = [...new Set(requests.map((one) => one.sha256))].filter((sha256) => !names.has(sha256))
  const of = (sha256: string): Unsealing[] => requests.filter((one) => one.sha256 === sha256)
  return [
    ...originals.map((original) => {
      const mine = of(original.sha256)
      const askable = may && !mine.some((one) => isOpen(one) && one.asked_by === user?.name)
      return { sha256: original.sha256, original, requests: mine, askable }
    }),
    ...gone.map((sha256) => ({ sha256, original: null, requests: of(sha256), askable: false })),
  ]
}

/** The name under which the handed file is saved; a number of a case is no path. */
export function fileName(request: Unsealing): string {
  return `${request.case_number.replaceAll(/[^0-9A-Za-z-]/g, '_')}-${String(request.id)}.age`
}

/** Whether words say enough for the service. */
export function isStated(text: string): boolean {
  const length = text.trim().length
  return length >= SHORTEST && length <= LONGEST
}
