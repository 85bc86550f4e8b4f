import { describe, expect, it } from 'vitest'
import type { Advice, Candidate, Share } from '@/api/types'
import { bar, figureOf, hourSpans, lostBy, proposable, ranked, shareText } from '@/verdicts/verdicts'

function share(part: number, whole: number, few = whole < 20): Share {
  return { part, whole, few, low: 0.25, high: 0.75 }
}

function candidate(saved: number, severe: number): Candidate {
  return { threshold: 60, lost: share(severe, 10), lost_severe: severe, saved: share(saved, 15) }
}

describe('shares', () => {
  it('tells few as so many of so many', () => {
    expect(shareText(share(3, 4))).toBe('3/4')
    expect(shareText(share(10, 25))).toBe('40 %')
    expect(shareText(share(0, 0))).toBe('–')
  })

  it('shows where the interval stands', () => {
    expect(bar(share(10, 25))).toEqual({ left: '25.0%', width: '50.0%', point: '40.0%' })
    expect(bar(share(0, 0)).point).toBeNull()
  })
})

describe('what may be proposed', () => {
  it('never loses what was high or critical, and saves something', () => {
    expect(proposable(candidate(5, 0))).toBe(true)
    expect(proposable(candidate(5, 1))).toBe(false)
    expect(proposable(candidate(0, 0))).toBe(false)
  })

  it('lists the true ones that would be lost', () => {
    const alarms = [60, 70, 80].map((reach) => ({ case_id: reach, case_number: String(reach), severity: 'medium' as const, reach }))
    const advice = { side: 'above', true_alarms: alarms } as unknown as Advice
    expect(lostBy(advice, 70).map((one) => one.reach)).toEqual([60])
    expect(lostBy({ ...advice, side: 'below' }, 70).map((one) => one.reach)).toEqual([80])
  })
})

describe('words', () => {
  it('joins hours that follow each other', () => {
    expect(hourSpans([3, 1, 2, 23])).toBe('1–4, 23–24')
    expect(hourSpans([])).toBe('')
  })

  it('ranks reasons and rounds figures', () => {
    expect(ranked({ animal: 2, weather: 5, light: 2 })).toEqual([
      ['weather', 5],
      ['animal', 2],
      ['light', 2],
    ])
    expect(figureOf(72.5004)).toBe('72.5')
  })
})
