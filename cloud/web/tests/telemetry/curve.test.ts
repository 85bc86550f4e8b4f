import { describe, expect, it } from 'vitest'
import type { Series } from '@/api/types'
import { curveOf, extended, usualDistance } from '@/telemetry/curve'

const T0 = Date.UTC(2026, 4, 1)
const at = (second: number): string => new Date(T0 + second * 1000).toISOString()
const series = (seconds: number[], step: Series['step'] = 'raw'): Series => ({
  device_id: 1,
  point: 'temperature_c',
  unit: '°C',
  step,
  observed_at: seconds.map(at),
  mean: seconds.map((second) => second),
  minimum: seconds.map((second) => second - 1),
  maximum: seconds.map((second) => second + 2),
  gaps: [],
  next_from: null,
})

describe('curveOf', () => {
  it('draws raw readings without a band', () => {
    const curve = curveOf(series([0, 5, 10]), [])
    expect(curve.mean).toEqual([[T0, 0], [T0 + 5000, 5], [T0 + 10_000, 10]])
    expect(curve.lower).toEqual([])
  })

  it('draws sums with a band of least and greatest', () => {
    const curve = curveOf(series([60, 120], 'minute'), [])
    expect(curve.lower.map(([, value]) => value)).toEqual([59, 119])
    expect(curve.spread.map(([, value]) => value)).toEqual([3, 3])
  })

  it('breaks the line at a declared gap', () => {
    const curve = curveOf(series([0, 5, 10]), [{ from: T0 + 6000, to: T0 + 9000, count: 1, reasons: [] }])
    expect(curve.mean.map(([, value]) => value)).toEqual([0, 5, null, 10])
  })

  it('breaks the line where readings are missing without a word', () => {
    const curve = curveOf(series([0, 5, 10, 15, 90, 95], 'minute'), [])
    expect(curve.mean.map(([, value]) => value)).toEqual([0, 5, 10, 15, null, 90, 95])
    expect(curve.spread).toHaveLength(7)
  })

  it('knows the usual distance', () => {
    expect(usualDistance([0, 5, 10, 300, 305])).toBe(5)
    expect(usualDistance([1])).toBe(0)
  })
})

describe('extended', () => {
  it('adds a newer reading and lets go of what left the window', () => {
    const longer = extended(series([0, 5, 10]), at(15), 42, T0 + 4000)
    expect(longer.observed_at).toEqual([at(5), at(10), at(15)])
    expect(longer.mean).toEqual([5, 10, 42])
    expect(longer.maximum.at(-1)).toBe(42)
  })

  it('ignores what is not newer, and does not mix readings into sums', () => {
    const raw = series([0, 5, 10])
    expect(extended(raw, at(10), 42, T0)).toBe(raw)
    const sums = series([0, 60], 'minute')
    expect(extended(sums, at(90), 42, T0)).toBe(sums)
  })

  it('starts an empty series', () => {
    expect(extended(series([]), at(1), 7, T0).mean).toEqual([7])
  })
})
