import type { CaseClock, CaseClocks, Clock, Light } from '@/api/types'

const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400

/** `3 d 2 h`, `2 h 05 min`, `7 min`: how long, in the two units that matter; always without a sign. */
export function span(seconds: number): { days: number; hours: number; minutes: number } {
  const all = Math.abs(seconds)
  return { days: Math.floor(all / DAY_S), hours: Math.floor((all % DAY_S) / HOUR_S), minutes: Math.floor((all % HOUR_S) / MINUTE_S) }
}

/** The light as it is by now: the page counts on between two answers. One that has stopped keeps the light that it had. */
export function lightOf(clock: Clock | CaseClock, now: number): Light {
  if (clock.state !== 'running' && 'light' in clock) return clock.light
  const at = clock.stopped_at === null ? now : Math.min(now, Date.parse(clock.stopped_at))
  if (at >= Date.parse(clock.due_at)) return 'red'
  return at >= Date.parse(clock.amber_at) ? 'amber' : 'green'
}

/** Which words tell how long, and with what: `clock.minutes` of 7. */
export function spanWords(seconds: number): ['clock.days' | 'clock.hours' | 'clock.minutes', Record<string, number>] {
  const { days, hours, minutes } = span(seconds)
  if (days > 0) return ['clock.days', { days, hours }]
  return hours > 0 ? ['clock.hours', { hours, minutes }] : ['clock.minutes', { minutes }]
}

/** How far a running clock is, from 0 to 1. */
export function share(clock: Clock, now: number): number {
  const began = Date.parse(clock.started_at)
  const whole = Date.parse(clock.due_at) - began
  return whole <= 0 ? 1 : Math.min(1, Math.max(0, (now - began) / whole))
}

/** The stages that are over, in order; one that was begun anew stands twice. */
export function past(clocks: CaseClocks): Clock[] {
  return clocks.clocks.filter((clock) => clock.id !== clocks.current?.id)
}
