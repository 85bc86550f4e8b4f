import { describe, expect, it } from 'vitest'
import type { Clock } from '@/api/types'
import { lightOf, past, share, span, spanWords } from '@/deadlines/clock'
import { someClock } from '../fakes/cases'

const AT = Date.parse('2026-03-17T01:00:00Z')
const MINUTE = 60_000

const clock = (over: Partial<Clock> = {}): Clock => ({
  id: 1,
  case_id: 1,
  stage: 'verifying',
  state: 'running',
  light: 'green',
  started_at: '2026-03-17T01:00:00Z',
  amber_at: '2026-03-17T01:48:00Z',
  due_at: '2026-03-17T02:00:00Z',
  stopped_at: null,
  extended: false,
  makeshift: false,
  remaining_s: 3600,
  ...over,
})

describe('a clock', () => {
  it('counts on between two answers', () => {
    expect([0, 47, 48, 59, 60].map((after) => lightOf(clock(), AT + after * MINUTE))).toEqual(['green', 'green', 'amber', 'amber', 'red'])
    expect(lightOf(clock({ state: 'ended', light: 'amber' }), AT + 999 * MINUTE)).toBe('amber')
  })

  it('of a list keeps the light that it had when it was laid aside', () => {
    expect([60, 95, 130].map((after) => lightOf(someClock(1, 120), Date.UTC(2026, 4, 1, 0, after)))).toEqual(['green', 'amber', 'red'])
    expect(lightOf(someClock(1, 120, { state: 'paused', stopped_at: '2026-05-01T01:35:00Z' }), Date.UTC(2026, 4, 2))).toBe('amber')
  })

  it('says how long with the largest two units that count', () => {
    expect([59, 3600, -90_000].map((seconds) => spanWords(seconds))).toEqual([['clock.minutes', { minutes: 0 }], ['clock.hours', { hours: 1, minutes: 0 }], ['clock.days', { days: 1, hours: 1 }]])
  })

  it('is between nothing and the whole', () => {
    expect([-5, 30, 90].map((after) => share(clock(), AT + after * MINUTE))).toEqual([0, 0.5, 1])
    expect(share(clock({ due_at: '2026-03-17T01:00:00Z' }), AT)).toBe(1)
  })

  it('says how long in days, hours and minutes, whichever way', () => {
    expect(span(2 * 86_400 + 3 * 3600 + 61)).toEqual({ days: 2, hours: 3, minutes: 1 })
    expect(span(-125)).toEqual({ days: 0, hours: 0, minutes: 2 })
  })

  it('keeps the stages before it', () => {
    const current = clock({ id: 3, stage: 'handling' })
    expect(past({ now: '', current, clocks: [clock(), clock({ id: 2 }), current], firings: [] }).map(({ id }) => id)).toEqual([1, 2])
  })
})
