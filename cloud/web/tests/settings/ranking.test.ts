import { describe, expect, it } from 'vitest'
import { MEASURES, shares, weightFits } from '@/settings/ranking'

const all = (weight: unknown): Record<string, unknown> => Object.fromEntries(MEASURES.map((measure) => [measure, weight]))

describe('weights', () => {
  it('are shares of the whole, whatever they add up to', () => {
    const found = shares({ ...all(0), closed: 3, on_time_closure: 1 })
    expect(found?.['closed']).toBeCloseTo(0.75)
    expect(found?.['on_time_closure']).toBeCloseTo(0.25)
    expect(found?.['rework_rate']).toBe(0)
  })

  it('say nothing while none counts or one is no number', () => {
    expect(shares(all(0))).toBeNull()
    expect(shares({ ...all(1), closed: '' })).toBeNull()
    expect(shares({})).toBeNull()
  })

  it('lie between 0 and 1000', () => {
    expect([0, 0.5, 1000].every(weightFits)).toBe(true)
    expect([-1, 1001, '', Number.NaN, undefined].some(weightFits)).toBe(false)
  })
})
