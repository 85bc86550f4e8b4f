import { describe, expect, it } from 'vitest'
import type { DeadlineRule } from '@/api/types'
import { amountFits, districtTime, hoursProblem, missingYear, sorted, splitDays } from '@/settings/deadlines'
import { channelKind, channelState, orNull, quietProblem, tabOf, tabsFor } from '@/settings/settings'

const NOW = Date.parse('2026-11-22T10:00:00+08:00')

function rule(id: number, effective_from: string, more: Partial<DeadlineRule> = {}): DeadlineRule {
  return { id, area: null, category: null, severity: null, stage: 'handling', amount: id, unit: 'minutes', amber_percent: 80, effective_from, ...more }
}

describe('the parts of the settings', () => {
  it('are those that a role may read', () => {
    expect(tabsFor('grid_worker')).toEqual(['notices', 'deadlines', 'calendar', 'ranking'])
    expect(tabsFor('department')).not.toContain('ranking')
    expect(tabsFor('auditor')).toContain('admission')
    expect(tabsFor('auditor')).not.toContain('cameras')
    expect(tabsFor(null)).toEqual(['notices', 'deadlines', 'calendar'])
  })

  it('fall back to the first for an address that names none, or one that is not for this person', () => {
    expect(tabOf('cameras', 'administrator')).toBe('cameras')
    expect(tabOf('cameras', 'duty_chief')).toBe('notices')
    expect(tabOf(undefined, 'administrator')).toBe('notices')
  })
})

describe('rules of deadlines', () => {
  it('hold, are to come, or were replaced by a newer one about the same', () => {
    const found = sorted([
      rule(1, '2026-01-01T00:00:00Z'),
      rule(2, '2026-06-01T00:00:00Z'),
      rule(3, '2026-12-01T00:00:00Z'),
      rule(4, '2026-01-01T00:00:00Z', { severity: 'high' }),
      rule(5, '2026-01-01T00:00:00Z', { stage: 'verifying' }),
    ], NOW)
    expect(found.present.map((one) => one.id)).toEqual([5, 4, 2])
    expect(found.coming.map((one) => one.id)).toEqual([3])
    expect(found.past.map((one) => one.id)).toEqual([1])
  })

  it('of two that begin at once the one that was set later holds', () => {
    expect(sorted([rule(8, '2026-01-01T00:00:00Z'), rule(7, '2026-01-01T00:00:00Z')], NOW).present.map((one) => one.id)).toEqual([8])
  })

  it('take whole amounts within what the service takes', () => {
    expect(amountFits(1, 'minutes')).toBe(true)
    expect(amountFits(0, 'minutes')).toBe(false)
    expect(amountFits(0, 'minutes', 0)).toBe(true)
    expect(amountFits(1.5, 'working_days')).toBe(false)
    expect(amountFits(367, 'working_days')).toBe(false)
    expect(amountFits(Number.NaN, 'minutes')).toBe(false)
  })

  it('begin at the district’s time', () => {
    expect(districtTime('2026-03-17T08:30')).toBe('2026-03-17T08:30:00+08:00')
    expect(districtTime('')).toBeNull()
  })
})

describe('hours of a day', () => {
  it.each(['', '08:30-12:00 14:00-17:30', '00:00-24:00', '14:00-17:30, 08:30-12:00', '08:00-12:00 12:00-18:00'])('takes %j', (text) => {
    expect(hoursProblem(text)).toBeNull()
  })

  it.each([['8:30-12:00', 'form'], ['morning', 'form'], ['08:60-12:00', 'form'], ['22:00-06:00', 'order'], ['08:00-08:00', 'order'], ['20:00-24:30', 'order'], ['08:00-12:00 11:00-13:00', 'overlap']])('refuses %j', (text, why) => {
    expect(hoursProblem(text)).toBe(why)
  })
})

describe('the year that is missing', () => {
  it('is named four months before it begins', () => {
    expect(missingYear('2026-12-31', [], NOW)).toBe(2027)
    expect(missingYear('2026-12-31', [], Date.parse('2026-03-01T00:00:00Z'))).toBeNull()
    expect(missingYear('2024-12-31', [], NOW)).toBe(2025)
  })

  it('is the next one once days were entered for everywhere, not for one area alone', () => {
    const day = { area: null, day: '2027-01-01', worked: false, name: '元旦' }
    expect(missingYear('2026-12-31', [day], NOW)).toBeNull()
    expect(missingYear('2026-12-31', [{ ...day, area: '110105' }], NOW)).toBe(2027)
  })
})

it('special days are those to come, the next first, and those that are over, the last first', () => {
  const day = (at: string): { area: null; day: string; worked: boolean; name: string } => ({ area: null, day: at, worked: false, name: '' })
  const found = splitDays(['2027-01-01', '2026-11-22', '2026-10-01', '2026-11-21'].map(day), NOW)
  expect(found.coming.map((one) => one.day)).toEqual(['2026-11-22', '2027-01-01'])
  expect(found.over.map((one) => one.day)).toEqual(['2026-11-21', '2026-10-01'])
})

describe('channels', () => {
  it('are told apart by their address', () => {
    expect(channelKind(' HTTPS://sms.example.org/send')).toBe('gateway')
    expect(channelKind('dingtalk://token')).toBe('chat')
  })

  it('work, have failed since they worked, or were never tried', () => {
    expect(channelState({ worked_at: null, failed_at: null })).toBe('untried')
    expect(channelState({ worked_at: '2026-03-17T08:00:00Z', failed_at: '2026-03-17T07:00:00Z' })).toBe('works')
    expect(channelState({ worked_at: '2026-03-17T08:00:00Z', failed_at: '2026-03-17T09:00:00Z' })).toBe('failed')
    expect(channelState({ worked_at: null, failed_at: '2026-03-17T09:00:00Z' })).toBe('failed')
  })
})

it('hours of quiet are two different times or none', () => {
  expect(quietProblem('', '')).toBeNull()
  expect(quietProblem('22:00', '06:00')).toBeNull()
  expect(quietProblem('22:00', '')).toBe('half')
  expect(quietProblem('22:00', '22:00:00')).toBe('same')
})

it('any is null to the service', () => {
  expect(orNull('')).toBeNull()
  expect(orNull('high')).toBe('high')
})
