import { describe, expect, it } from 'vitest'
import type { DutyGap, OnDuty, TeamMember } from '@/api/types'
import { missing, onDutyGroups, teamGroups } from '@/organisation/organisation'

function onDuty(shift_id: number, kind: OnDuty['kind']): OnDuty {
  return {
    shift_id,
    account_id: shift_id,
    display_name: `p${shift_id}`,
    role: 'grid_worker',
    kind,
    area_code: '1',
    area_path: '1/',
    area_name: 'a',
    from_at: '2026-03-17T00:00:00Z',
    until: '2026-03-17T12:00:00Z',
  }
}

function gap(area_name: string, from_at: string, kind: DutyGap['kind'] = 'grid_worker'): DutyGap {
  return { area_code: area_name, area_path: `${area_name}/`, area_name, level: 'grid', kind, from_at, until: '2026-03-18T00:00:00Z' }
}

describe('onDutyGroups', () => {
  it('goes from the top down and tells nobody twice', () => {
    const groups = onDutyGroups([onDuty(1, 'duty_chief'), onDuty(2, 'grid_worker')], [onDuty(2, 'grid_worker'), onDuty(3, 'grid_worker')])
    expect(groups.map((group) => [group.kind, group.items.map((one) => one.shift_id)])).toEqual([['duty_chief', [1]], ['grid_worker', [2, 3]]])
  })
})

describe('teamGroups', () => {
  it('begins with the lead and leaves out kinds that nobody fills', () => {
    const member = (id: number, kind: TeamMember['kind']): TeamMember => ({
      id, area_code: '1', area_name: 'a', kind, name: 'n', phone: null, account_id: null, account: null, since: '2026-03-17T00:00:00Z',
    })
    expect(teamGroups([member(1, 'dynamic'), member(2, 'lead')]).map((group) => group.kind)).toEqual(['lead', 'dynamic'])
  })
})

describe('missing', () => {
  it('makes one line of the same gap in many areas, the earliest first', () => {
    const names = Array.from({ length: 100 }, (_, number) => `g${number}`)
    const lines = missing([gap('late', '2026-03-17T20:00:00Z'), ...names.map((name) => gap(name, '2026-03-17T08:00:00Z'))])
    expect(lines.map((line) => [line.count, line.areas.length])).toEqual([[100, 5], [1, 1]])
    expect(lines[0]?.areas[0]).toBe('g0')
  })

  it('keeps kinds and times apart', () => {
    expect(missing([gap('a', '2026-03-17T08:00:00Z'), gap('a', '2026-03-17T08:00:00Z', 'duty_chief'), gap('a', '2026-03-17T09:00:00Z')])).toHaveLength(3)
  })
})
