import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { drills, hoursFrom, lasting, sourceOf, span } from '@/drills/drills'
import type { Drill } from '@/api/types'

const NOW = Date.parse('2026-03-17T04:30:00Z')

function drill(id: number, hours: number, running = true): Drill {
  return {
    id,
    name: 'Fire',
    purpose: 'spring',
    area_code: '110105',
    area_name: 'Chaoyang',
    reports: true,
    channels: false,
    started_at: '2026-03-17T04:00:00Z',
    started_by: 'Chief',
    planned_end_at: hoursFrom(NOW, hours),
    ended_at: null,
    ended_by: null,
    cases: 0,
    going_on: 0,
    running,
    may_end: false,
  }
}

describe('the banner', () => {
  it('shows what lasts, the next to end first, and nothing that is over', () => {
    expect(lasting([drill(1, 3), drill(2, 1), drill(3, -1), drill(4, 2, false)], NOW).map((each) => each.id)).toEqual([2, 1])
  })
})

describe('what runs', () => {
  const answers: (() => Response)[] = []
  beforeEach(() => {
    drills.clear()
    vi.stubGlobal('fetch', () => Promise.resolve((answers.shift() ?? (() => new Response('{}', { status: 503 })))()))
  })
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('stays on the screen while the service does not answer', async () => {
    answers.push(() => Response.json({ items: [drill(1, 1)], at: '2026-03-17T04:30:00Z' }))
    await drills.load()
    await drills.load()
    expect(drills.state.items.map((each) => each.id)).toEqual([1])
    expect(drills.state.problem).not.toBeNull()
  })

  it('is nothing once nobody is signed in', async () => {
    answers.push(() => Response.json({ items: [drill(1, 1)], at: '2026-03-17T04:30:00Z' }))
    const loading = drills.load()
    drills.clear()
    await loading
    expect(drills.state.items).toEqual([])
  })
})

describe('words', () => {
  it('reads what was chosen', () => {
    expect([sourceOf('node-1/cam-1'), sourceOf('node-1')]).toEqual([
      { node: 'node-1', device: 'cam-1', rule: '' },
      { node: 'node-1', device: null, rule: '' },
    ])
  })

  it('tells a span as people do', () => {
    expect([null, 0, 42, 60, 3_900, 7_199].map(span)).toEqual(['–', '0 s', '42 s', '1 min', '1 h 05 min', '2 h 00 min'])
  })
})
