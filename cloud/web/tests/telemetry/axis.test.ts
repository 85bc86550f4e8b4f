import { describe, expect, it } from 'vitest'
import { valueAxis } from '@/telemetry/axis'

const open = { minimum: null, maximum: null }

describe('valueAxis', () => {
  it('holds the readings between round ends', () => {
    expect(valueAxis(35.7, 79.4, { minimum: -40, maximum: 150 })).toEqual({ min: 30, max: 80, interval: 10 })
  })

  it('does not blow up noise: at least 2 % of the declared range', () => {
    const axis = valueAxis(225.5, 228.5, { minimum: 0, maximum: 1000 })
    expect(axis.max - axis.min).toBeGreaterThanOrEqual(20)
    expect(axis.min).toBeLessThanOrEqual(225.5)
    expect(axis.max).toBeGreaterThanOrEqual(228.5)
  })

  it('does not go below what the point can measure', () => {
    expect(valueAxis(0.2, 1.1, { minimum: 0, maximum: 250 }).min).toBe(0)
    expect(valueAxis(-3, 1, { minimum: 0, maximum: 10 }).min).toBeLessThanOrEqual(-3)
  })

  it('is that of the readings where the declared limit is a technical one', () => {
    const axis = valueAxis(100, 9_000, { minimum: 0, maximum: 1e13 })
    expect(axis.max).toBeLessThanOrEqual(10_000)
    expect(axis.min).toBe(0)
  })

  it('copes with one value, and with nothing but zero', () => {
    expect(valueAxis(20, 20, open).interval).toBeGreaterThan(0)
    expect(valueAxis(0, 0, open)).toEqual({ min: -0.6, max: 0.6, interval: 0.2 })
  })
})
