import { describe, expect, it } from 'vitest'
import { rank, SEVERITIES, worst } from '@/cases/severity'

describe('severity', () => {
  it('ranks from low to critical, the unknown below all', () => {
    expect(['low', 'medium', 'high', 'critical'].map(rank)).toEqual([0, 1, 2, 3])
    expect(rank('calm')).toBe(-1)
  })

  it('lists the worst first', () => {
    expect([...SEVERITIES].sort((a, b) => rank(b) - rank(a))).toEqual([...SEVERITIES])
  })

  it('finds the worst of some', () => {
    expect(worst(['low', 'critical', 'high'])).toBe('critical')
    expect(worst([])).toBeNull()
  })
})
