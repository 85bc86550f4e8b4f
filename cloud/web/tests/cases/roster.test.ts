import { beforeEach, describe, expect, it } from 'vitest'
import type { CaseSummary } from '@/api/types'
import { dueFirst, newestFirst, Roster } from '@/cases/roster'
import { someCase, someClock } from '../fakes/cases'

const open = (summary: CaseSummary): boolean => summary.status === 'reported' || summary.status === 'filed'
const ids = (roster: Roster): number[] => roster.items.map((item) => item.id)

let roster: Roster

beforeEach(() => {
  roster = new Roster(open, newestFirst, 5)
  roster.begin()
  roster.settle({ items: [someCase(3), someCase(2), someCase(1)], next: null })
})

describe('Roster', () => {
  it('puts a new case at its place, the newest first', () => {
    expect(roster.apply(someCase(5))).toBe('added')
    expect(roster.apply(someCase(4))).toBe('added')
    expect(ids(roster)).toEqual([5, 4, 3, 2, 1])
  })

  it('replaces a case by a newer version, never by an older one', () => {
    expect(roster.apply(someCase(2, { version: 3, severity: 'critical' }))).toBe('changed')
    expect(roster.apply(someCase(2, { version: 2, severity: 'low' }))).toBe('ignored')
    expect(roster.items[1]?.severity).toBe('critical')
  })

  it('takes a case off the list and lets no older version bring it back', () => {
    expect(roster.apply(someCase(2, { version: 2, status: 'rejected' }))).toBe('removed')
    expect(roster.apply(someCase(2, { version: 1 }))).toBe('ignored')
    expect(ids(roster)).toEqual([3, 1])
    expect(roster.apply(someCase(2, { version: 3 }))).toBe('added')
  })

  it('keeps what arrived while the first page was on its way', () => {
    roster.begin()
    roster.apply(someCase(4))
    roster.apply(someCase(3, { version: 2, status: 'closed' }))
    roster.settle({ items: [someCase(3), someCase(2), someCase(1)], next: null })
    expect(ids(roster)).toEqual([4, 2, 1])
  })

  it('drops what a fresh first page no longer holds', () => {
    roster.begin()
    roster.settle({ items: [someCase(3), someCase(1)], next: null })
    expect(ids(roster)).toEqual([3, 1])
  })

  it('prefers the newer version over a page that was read earlier', () => {
    roster.apply(someCase(3, { version: 7, incident_count: 9 }))
    roster.begin()
    roster.settle({ items: [someCase(3, { version: 6 }), someCase(2)], next: null })
    expect(roster.items[0]?.incident_count).toBe(9)
  })

  it('appends older pages without doubles', () => {
    roster.begin()
    roster.settle({ items: [someCase(3), someCase(2)], next: 'c' })
    roster.append({ items: [someCase(2), someCase(1)], next: null })
    expect(ids(roster)).toEqual([3, 2, 1])
    expect(roster.next).toBeNull()
  })

  it('leaves a case for its own page when it lies behind what was loaded', () => {
    roster.begin()
    roster.settle({ items: [someCase(3), someCase(2)], next: 'c' })
    expect(roster.apply(someCase(1, { version: 4 }))).toBe('beyond')
    expect(ids(roster)).toEqual([3, 2])
  })

  it('stays within its limit and says that it left some out', () => {
    for (const id of [4, 5, 6, 7]) roster.apply(someCase(id))
    expect(ids(roster)).toEqual([7, 6, 5, 4, 3])
    expect(roster.cut).toBe(true)
  })

  it('never alters a list that was handed out', () => {
    const before = roster.items
    roster.apply(someCase(9))
    expect(before.map((item) => item.id)).toEqual([3, 2, 1])
  })

  it('ends the same whatever the order in which the versions of cases arrive', () => {
    const events = [someCase(4), someCase(4, { version: 2, status: 'filed' }), someCase(2, { version: 2, status: 'closed' }), someCase(3, { version: 2 })]
    const outcomes = permutations(events).map((order) => {
      const one = new Roster(open, newestFirst, 50)
      one.begin()
      one.settle({ items: [someCase(3), someCase(2), someCase(1)], next: null })
      order.forEach((event) => one.apply(event))
      return JSON.stringify(one.items.map((item) => [item.id, item.version]))
    })
    expect(new Set(outcomes)).toEqual(new Set(['[[4,2],[3,2],[1,1]]']))
  })
})

describe('a list by what is due', () => {
  const due = (id: number, minutes: number, version = 1): CaseSummary => someCase(id, { version, clock: someClock(id, minutes) })

  beforeEach(() => {
    roster = new Roster(open, dueFirst, 5)
    roster.begin()
    roster.settle({ items: [due(1, 10), due(3, 20), due(2, 30)], next: 'c' })
  })

  it('puts a case where it is due, of one time the clock that began first', () => {
    expect(roster.apply(due(4, 20))).toBe('added')
    expect(roster.apply(due(5, 5))).toBe('added')
    expect(ids(roster)).toEqual([5, 1, 3, 4, 2])
  })

  it('moves a case whose time was put off, though its version is the same', () => {
    expect(roster.apply(due(1, 25))).toBe('changed')
    expect(ids(roster)).toEqual([3, 1, 2])
  })

  it('leaves to its page what is due behind what was loaded, and keeps the last one where it is', () => {
    expect(roster.apply(due(4, 40))).toBe('beyond')
    expect(roster.apply(due(2, 30, 2))).toBe('changed')
    expect(roster.apply(due(1, 35))).toBe('removed')
    expect(ids(roster)).toEqual([3, 2])
    roster.append({ items: [due(1, 35), due(4, 40)], next: null })
    expect(ids(roster)).toEqual([3, 2, 1, 4])
    expect(roster.apply(due(3, 50))).toBe('changed')
    expect(ids(roster)).toEqual([2, 1, 4, 3])
  })
})

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, place) => permutations(items.toSpliced(place, 1)).map((rest) => [item, ...rest]))
}
