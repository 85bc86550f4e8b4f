import { describe, expect, it } from 'vitest'
import type { Gap } from '@/api/types'
import { gapAreas, gapSpan } from '@/telemetry/gap'

const minute = (m: number): number => Date.UTC(2026, 4, 1, 6, m)
const gap = (from: number, to: number, count = 1, reason = 'quota'): Gap =>
  ({ from_at: new Date(minute(from)).toISOString(), to_at: new Date(minute(to)).toISOString(), count, reason }) as Gap

describe('gapAreas', () => {
  it('cuts gaps to the window and drops those outside it', () => {
    expect(gapAreas([gap(50, 65, 3), gap(0, 5), gap(1, 12)], minute(10), minute(60)).map(({ from, to }) => [from, to])).toEqual([
      [minute(10), minute(12)],
      [minute(50), minute(60)],
    ])
  })

  it('joins gaps that touch, with their counts and reasons', () => {
    expect(gapAreas([gap(20, 30, 5, 'corrupt'), gap(10, 20, 7), gap(15, 18, 1)], minute(0), minute(60))).toEqual([
      { from: minute(10), to: minute(30), count: 13, reasons: ['quota', 'corrupt'] },
    ])
  })
})

describe('gapSpan', () => {
  it('names minutes today, and the day otherwise', () => {
    const area = { from: minute(2), to: minute(9), count: 1, reasons: [] }
    expect(gapSpan(area, minute(30))).toBe('14:02–14:09')
    expect(gapSpan(area, minute(30) + 86_400_000)).toBe('05-01 14:02 – 05-01 14:09')
  })
})
