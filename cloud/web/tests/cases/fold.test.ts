import { describe, expect, it } from 'vitest'
import type { HistoryEntry } from '@/api/types'
import { fold } from '@/cases/fold'

const entry = (action: string, minute: number, person: string | null = null): HistoryEntry => ({
  at: new Date(Date.UTC(2026, 4, 1, 0, minute)).toISOString(),
  actor: person === null ? null : { name: person, display_name: person },
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

describe('fold', () => {
  it('makes one step of what the system repeats', () => {
    const steps = fold([entry('opened', 0), entry('incident_added', 1), entry('incident_added', 2), entry('incident_added', 5)])
    expect(steps.map((step) => [step.entry.action, step.count])).toEqual([['opened', 1], ['incident_added', 3]])
    expect(steps[1]?.lastAt).toBe(entry('', 5).at)
  })

  it('keeps every step of a person, and what lies between', () => {
    const history = [entry('incident_added', 0), entry('confirm', 1, 'li'), entry('incident_added', 2), entry('reopen', 3, 'li'), entry('reopen', 4, 'li')]
    expect(fold(history).map((step) => step.count)).toEqual([1, 1, 1, 1, 1])
  })
})
