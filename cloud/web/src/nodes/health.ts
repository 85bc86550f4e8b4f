import type { Level, Node, NodeHealth, Refusals } from '@/api/types'

/** A node tells each minute; what it said longer ago may be over. */
const FRESH_MS = 5 * 60_000
/** What was lost longer ago is history, not an alarm. */
const LATELY_MS = 24 * 3_600_000
/** So far ahead of this machine's clock a time may lie. */
const AHEAD_MS = 60_000

/** Whether the last word of a node is too old to be taken for the present. */
export function isStale(toldAt: string, now: number): boolean {
  return now - Date.parse(toldAt) > FRESH_MS
}

function lately(at: string, now: number): boolean {
  const ago = now - Date.parse(at)
  return ago < LATELY_MS && ago > -AHEAD_MS
}

/** Whether a node lost anything within the last day: readings that it dropped, or messages that the cloud refused. */
export function lostLately(health: NodeHealth, now: number): boolean {
  if (health.lost_at !== null && lately(health.lost_at, now)) return true // also of event times long past: an outage of days drops its oldest
  return health.dropped.some((drop) => lately(drop.to_at, now)) || health.dead_letters.some((letters) => lately(letters.last_at, now))
}

/** Whether a refusal is a loss: what an operator discarded of strangers never belonged to this community. */
function isLoss({ node, reason }: Refusals['refused'][number]): boolean {
  return node !== null || reason !== 'discarded'
}

/** Whether anything at all waits in a node. */
export function isClear({ backlog, evidence }: NodeHealth): boolean {
  return backlog.readings + backlog.incidents + backlog.messages + backlog.unsaved + evidence.files === 0
}

export type Verdict = 'kept' | 'waiting' | 'lost' | 'unknown'

export interface Intake {
  verdict: Verdict
  queued: number
  full: number
  silent: number
  dropped: number
  quarantine: number
  refused: number
}

/** Is everything kept? One answer over all nodes and over what the cloud itself refused or holds back. */
export function intakeOf(nodes: readonly Node[], refusals: Refusals | null, now: number): Intake {
  const accepted = nodes.filter((node) => node.state === 'accepted')
  const told = accepted.flatMap((node) => (node.health === null ? [] : [node.health]))
  const fresh = told.filter((health) => !isStale(health.told_at, now))
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)
  const intake = {
    queued: sum(fresh.map((health) => health.backlog.readings)),
    full: fresh.filter((health) => health.backlog.level !== 'normal').length,
    silent: accepted.length - fresh.length,
    dropped: told.filter((health) => lostLately(health, now)).length,
    quarantine: sum((refusals?.waiting ?? []).map((one) => one.messages)),
    refused: (refusals?.refused ?? []).filter((one) => isLoss(one) && lately(one.last_at, now)).length,
  }
  return { ...intake, verdict: verdictOf(intake, told.length, fresh) }
}

function verdictOf(intake: Omit<Intake, 'verdict'>, told: number, fresh: readonly NodeHealth[]): Verdict {
  if (intake.dropped > 0 || intake.refused > 0) return 'lost'
  const unsaved = fresh.some((health) => health.backlog.unsaved > 0)
  if (intake.full > 0 || intake.quarantine > 0 || unsaved) return 'waiting'
  if (told === 0) return 'unknown'
  return intake.silent > 0 ? 'waiting' : 'kept'
}

/** The colour of a level, by the name of its token. */
export const LEVEL_COLOURS: Record<Level, string> = { normal: 'good', warning: 'medium', critical: 'critical' }
