import { describe, expect, it } from 'vitest'
import type { CaseSummary } from '@/api/types'
import { ANY_OPEN, type CaseFilter, filterOf, lineage, matches, type Order, parentsOf, queryOf } from '@/cases/filter'
import { someCase, someClock } from '../fakes/cases'

const parents = parentsOf([
  { code: '110199', level: 'district', parent: null, name: 'd' },
  { code: '110199001', level: 'street', parent: '110199', name: 's' },
  { code: '110199001001', level: 'community', parent: '110199001', name: 'c' },
  { code: '110199001001001', level: 'grid', parent: '110199001001', name: 'g' },
])
const any: CaseFilter = { severity: null, status: null, area: null, kind: null, order: 'newest' }

describe('matches', () => {
  it('lets everything through without a filter', () => {
    expect(matches(someCase(1, { status: 'closed' }), any, parents)).toBe(true)
  })

  it('counts reported and filed cases as open', () => {
    const open: CaseFilter = { ...any, status: 'open' }
    const kept = (['reported', 'filed', 'rejected', 'resolved', 'closed'] as const).filter((status) => matches(someCase(1, { status }), open, parents))
    expect(kept).toEqual(['reported', 'filed'])
  })

  it('finds a case in its grid and in each area above it', () => {
    for (const area of ['110199001001001', '110199001001', '110199001', '110199']) {
      expect(matches(someCase(1), { ...any, area }, parents)).toBe(true)
    }
    expect(matches(someCase(1), { ...any, area: '110199002' }, parents)).toBe(false)
  })

  it('finds a case without a grid by its community', () => {
    expect(matches(someCase(1, { grid: null }), { ...any, area: '110199001' }, parents)).toBe(true)
    expect(matches(someCase(1, { grid: null, community: null, street: null }), { ...any, area: '110199' }, parents)).toBe(false)
  })

  it('asks for the very kind', () => {
    expect(matches(someCase(1), { ...any, kind: 'loitering' }, parents)).toBe(false)
    expect(matches(someCase(1), { ...any, kind: 'intrusion' }, parents)).toBe(true)
  })

  it('lists by what is due only what a clock runs for, and of one light what has it now', () => {
    const at = (minutes: number): number => Date.UTC(2026, 4, 1, 0, minutes)
    const [running, resting, ended] = [someClock(1, 90), someClock(1, 90, { state: 'paused', stopped_at: '2026-05-01T00:00:00Z' }), null].map((clock) => someCase(1, { clock }))
    const listed = (summary: CaseSummary | undefined, order: Order, minutes = 0): boolean => summary !== undefined && matches(summary, { ...any, order }, parents, at(minutes))
    expect([running, resting, ended].map((summary) => listed(summary, 'due'))).toEqual([true, false, false])
    expect([running, resting, ended].map((summary) => listed(summary, 'newest'))).toEqual([true, true, true])
    expect([0, 60, 90].map((minutes) => (['green', 'amber', 'red'] as const).find((light) => listed(running, light, minutes)))).toEqual(['green', 'amber', 'red'])
    expect([0, 60, 90].flatMap((minutes) => (['green', 'amber', 'red'] as const).filter((light) => listed(running, light, minutes)))).toHaveLength(3)
  })

  it('asks for the very severity', () => {
    expect(matches(someCase(1), { ...any, severity: 'critical' }, parents)).toBe(false)
    expect(matches(someCase(1), { ...any, severity: 'high' }, parents)).toBe(true)
  })
})

describe('the filter in the address', () => {
  it('comes back as it went', () => {
    const filters: CaseFilter[] = [
      ANY_OPEN,
      any,
      { severity: 'critical', status: 'rejected', area: '110199001', kind: 'loitering', order: 'amber' },
      { ...any, status: 'reported', order: 'due' },
    ]
    for (const filter of filters) expect(filterOf(Object.fromEntries(Object.entries(queryOf(filter)).map(([key, value]) => [key, String(value)])))).toEqual(filter)
  })

  it('names only what was chosen', () => {
    expect(queryOf(ANY_OPEN)).toEqual({})
    expect(queryOf(any)).toEqual({ status: 'any' })
  })

  it('is as it comes where the address makes no sense', () => {
    expect(filterOf({ severity: 'dreadful', status: ['filed', 'closed'], area: '', kind: ['a', 'b'], order: 'oldest' })).toEqual(ANY_OPEN)
  })
})

describe('lineage', () => {
  it('ends also in a circle', () => {
    expect(lineage('a', new Map([['a', 'b'], ['b', 'a']]))).toEqual(['a', 'b'])
  })
})
