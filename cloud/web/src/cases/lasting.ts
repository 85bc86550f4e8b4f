import type { Incident } from '@/api/types'

/** How long an incident lasts, and the word for it. */
export interface Lasting {
  word: 'dwell' | 'dwellSoFar' | 'lasted' | 'lastedSoFar'
  seconds: number
}

/**
 * How long an incident has lasted at `now` (milliseconds since 1970); null where nobody knows.
 *
 * What is followed through the picture stays (停留), a reading or a state lasts (持续). The node tells of an ongoing one only now and
 * then: until it ends, the time runs with the clock, in whole seconds, and is never less than what the node has told.
 */
export function lasting(incident: Incident, now: number): Lasting | null {
  const [word, soFar] = incident.track.length > 0 ? (['dwell', 'dwellSoFar'] as const) : (['lasted', 'lastedSoFar'] as const)
  if (incident.ended_at !== null) return incident.dwell_s === null ? null : { word, seconds: incident.dwell_s }
  const sinceStart = (now - Date.parse(incident.started_at)) / 1000
  return { word: soFar, seconds: Math.floor(Math.max(sinceStart, incident.dwell_s ?? 0)) }
}
