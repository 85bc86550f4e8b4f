import { describe, expect, it } from 'vitest'
import { lasting } from '@/cases/lasting'
import { someIncident } from '../fakes/cases'

const began = Date.parse('2026-05-01T00:00:00Z')
const track = [{ at: '2026-05-01T00:00:00Z', left: 0, top: 0, right: 1, bottom: 1 }]

describe('lasting', () => {
  it('calls what is followed through the picture a dwell, a reading a duration', () => {
    const ended = { ended_at: '2026-05-01T00:01:00Z', dwell_s: 57.5 }
    expect(lasting(someIncident({ ...ended, track }), began)).toEqual({ word: 'dwell', seconds: 57.5 })
    expect(lasting(someIncident({ ...ended, point: 'temperature_c' }), began)).toEqual({ word: 'lasted', seconds: 57.5 })
  })

  it('runs with the clock while the incident goes on, in whole seconds', () => {
    const ongoing = someIncident({ dwell_s: 2, track })
    expect(lasting(ongoing, began + 12_400)).toEqual({ word: 'dwellSoFar', seconds: 12 })
    expect(lasting(someIncident({ dwell_s: null }), began + 65_000)).toEqual({ word: 'lastedSoFar', seconds: 65 })
  })

  it('is never less than what the node has told: a browser’s clock may be behind', () => {
    expect(lasting(someIncident({ dwell_s: 30 }), began - 5000)?.seconds).toBe(30)
  })

  it('stands still once it is over, and is unknown where nobody told', () => {
    const over = someIncident({ ended_at: '2026-05-01T00:01:00Z', dwell_s: null })
    expect(lasting(over, began + 3_600_000)).toBeNull()
  })
})
