import { describe, expect, it } from 'vitest'
import { countsOf, sectionsOf, stateOf } from '@/handover/handover'
import type { ShiftRecord } from '@/api/types'

const CONTENTS = {
  open: { together: 7, by_status: [] },
  pressing: { together: 3, red: 1, amber: 2, urged: 0, promised: 1, items: [{ number: '110105-20260317-0001', light: 'red' }] },
  whistles: { together: 0, items: [] },
}

describe('a record', () => {
  it('tells its numbers', () => {
    expect(countsOf(CONTENTS)).toEqual({ open: 7, red: 1, amber: 2, urged: 0, promised: 1 })
  })

  it('tells its sections in one order, and what it does not have is empty', () => {
    expect(sectionsOf(CONTENTS).map((section) => [section.key, section.together, section.items.length])).toEqual([
      ['pressing', 3, 1],
      ['whistles', 0, 0],
      ['drills', 0, 0],
      ['machines', 0, 0],
      ['warnings', 0, 0],
    ])
  })

  it('is shown whatever it holds', () => {
    for (const odd of [{}, { open: null, pressing: 3, drills: { items: 'x' } }, { pressing: { items: [null, 1, {}] } }]) {
      expect(sectionsOf(odd)).toHaveLength(5)
      expect(countsOf(odd).open).toBe(0)
    }
  })

  it('stands somewhere', () => {
    const record = (given: string | null, taken: string | null): ShiftRecord => ({ given_at: given, taken_at: taken }) as unknown as ShiftRecord
    expect([stateOf(record(null, null)), stateOf(record('x', null)), stateOf(record('x', 'x'))]).toEqual(['drawn', 'given', 'confirmed'])
  })
})
