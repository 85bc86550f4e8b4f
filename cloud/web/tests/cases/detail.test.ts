import { describe, expect, it } from 'vitest'
import type { HistoryEntry } from '@/api/types'
import { rivalOf, toldLate } from '@/cases/detail'

const entry = (action: string, name: string | null): HistoryEntry => ({
  at: '2026-05-01T00:00:00Z',
  actor: name === null ? null : { name, display_name: name },
  action,
  from_status: null,
  to_status: null,
  reason: null,
  note: null,
  severity: null,
  person: null,
  department: null,
  other_case: null,
  until: null,
  rating: null,
})

describe('rivalOf', () => {
  const before = [entry('opened', null)]

  it('names the person who was faster, whatever the system added after him', () => {
    const after = [...before, entry('confirm', 'wang'), entry('incident_added', null)]
    expect(rivalOf(before, after)?.actor?.name).toBe('wang')
  })

  it('names the system when it was the system', () => {
    expect(rivalOf(before, [...before, entry('severity_raised', null)])?.action).toBe('severity_raised')
  })

  it('names nobody when the history tells nothing', () => {
    expect(rivalOf(before, before)).toBeNull()
  })
})

describe('toldLate', () => {
  const told = (seconds: number): boolean => toldLate({ started_at: '2026-05-01T00:00:00Z', opened_at: new Date(Date.UTC(2026, 4, 1, 0, 0, seconds)).toISOString() })

  it('leaves out the usual seconds on the way', () => {
    expect([told(7), told(60), told(61), told(7200)]).toEqual([false, false, true, true])
  })
})
