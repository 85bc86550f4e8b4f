import type { StreamView } from './stream'

/** What the person is told: `silent` names the moment since which the page is out of date. */
export type Liveness = 'connecting' | 'live' | 'reconnecting' | 'silent'

/** A short break is nobody's worry; after this long without a word the page no longer claims to be current. */
export const SILENT_AFTER_MS = 30_000

export function liveness(view: Readonly<StreamView>, now: number): Liveness {
  const { state, heardAt } = view
  if (heardAt === null) return state === 'reconnecting' ? 'reconnecting' : 'connecting'
  if (now - heardAt > SILENT_AFTER_MS) return 'silent'
  return state === 'live' ? 'live' : 'reconnecting'
}
