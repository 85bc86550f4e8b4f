import type { CaseSummary, CommandState, Level, Presence, RolloutState, WorkOrder } from '@/api/types'

/** The shapes of events are told in words in the service's document, not in types: these are the page's. */
export interface NodePresence {
  node: string
  presence: Presence
  presence_since: string | null
}

/** The outbox of a node got fuller or emptier. */
export interface NodeLevel {
  node: string
  level: Level
}

export interface DevicePresence {
  id: number
  node: string
  device: string
  presence: Presence
  presence_since: string | null
  last_seen_at: string | null
}

export interface NewestReading {
  device_id: number
  point: string
  observed_at: string
  value: number | string
}

/** The newest value per point of a node's devices, at most once a second. */
export interface NewestReadings {
  node: string
  readings: NewestReading[]
}

/** Something that was asked of a node went a step further; what it brought is read by its id. */
export interface CommandStep {
  id: string
  node: string
  device: string | null
  name: string
  state: CommandState
}

/** A rollout moved, or a node of it; how far it is is read anew. */
export interface RolloutMoved {
  id: string
  state: RolloutState
  stage: number
}

/** Somebody told me something; what it is is read anew. */
export interface NoticeNew {
  id: number
  rings: boolean
  severity: CaseSummary['severity']
}

/** A drill began, ended, or ends at another time; what runs is read anew. */
export interface DrillMoved {
  id: number
  name: string
  planned_end_at: string
  ended_at: string | null
}

/** What the live stream tells, by name. `resync`: whatever was loaded before may have holes, load it again. */
export interface LiveEvents {
  'case.opened': CaseSummary
  'case.updated': CaseSummary
  'node.presence': NodePresence
  'node.health': NodeLevel
  'device.presence': DevicePresence
  'device.readings': NewestReadings
  'command.updated': CommandStep
  'order.opened': WorkOrder
  'order.updated': WorkOrder
  'rollout.updated': RolloutMoved
  'notice.new': NoticeNew
  'drill.started': DrillMoved
  'drill.updated': DrillMoved
  'drill.ended': DrillMoved
  resync: null
}

export type LiveName = keyof LiveEvents

export const LIVE_NAMES = [
  'case.opened',
  'case.updated',
  'node.presence',
  'node.health',
  'device.presence',
  'device.readings',
  'command.updated',
  'order.opened',
  'order.updated',
  'rollout.updated',
  'notice.new',
  'drill.started',
  'drill.updated',
  'drill.ended',
] as const satisfies LiveName[]
const NAMES: ReadonlySet<string> = new Set(LIVE_NAMES)

/** Whether this version of the page knows the event; a newer service may tell more. */
export function isLiveName(name: string): name is Exclude<LiveName, 'resync'> {
  return NAMES.has(name)
}
