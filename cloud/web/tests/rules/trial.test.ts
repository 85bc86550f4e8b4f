import { describe, expect, it } from 'vitest'
import { asYaml, trialOf } from '@/rules/trial'

const ANSWER = {
  since: '2026-03-01T08:00:00.000Z',
  until: '2026-03-08T08:00:00.000Z',
  cameras: [
    {
      camera: 'gate',
      begins_at: null,
      seen_s: 3600,
      warnings: [{ code: 'begins_later', rule: null, words: 'the memory begins later' }, 5],
      holes: [{ begins_at: '2026-03-02T08:00:00Z', ends_at: '2026-03-02T09:00:00Z', why: 'node_off' }],
      zones: { floor: [[0, 0.25], [1, 0.25], [1, 1]], odd: [[0], 'x'] },
      lines: { door: [[0, 0.5], [1, 0.5]] },
      rules: [{ rule: 'intrusion-floor', tried: true, now: 2, then: 1, kept: 1, new: 1, gone: 0, now_per_day: 0.5, counts: { in_count: 3 } }],
      incidents: [
        { verdict: 'new', rule: 'intrusion-floor', zone: 'floor', started_at: '2026-03-01T08:00:00.000Z', dwell_s: 3.2, way: '0.100,0.200 0.300,0.400' },
        { verdict: 'new', rule: 'r', started_at: '2026-03-01T08:00:00.000Z', way: '"><script>' },
        { verdict: 'strange', rule: 'r', started_at: '2026-03-01T08:00:00.000Z' },
      ],
      incidents_left_out: 4,
      background: { sha256: 'x', captured_at: '2026-03-01T08:00:00.000Z', jpeg_base64: 'AAAA' },
    },
  ],
}

describe('the answer to a trial', () => {
  it('is read as far as it can be understood', () => {
    const trial = trialOf(ANSWER, 'gate')
    expect(trial?.zones).toEqual([['floor', '0,0.25 1,0.25 1,1']])
    expect(trial?.incidents.map((one) => one.way)).toEqual(['0.100,0.200 0.300,0.400', null])
    expect(trial?.rules[0]).toMatchObject({ now: 2, perDay: 0.5, counts: [['in_count', 3]] })
    expect(trial?.warnings[0]?.code).toBe('begins_later')
    expect(trial?.picture).toBe('data:image/jpeg;base64,AAAA')
    expect(trial?.leftOut).toBe(4)
  })

  it('is none for another camera, for nothing and for nonsense', () => {
    expect(trialOf(ANSWER, 'other')).toBeNull()
    expect(trialOf(null, 'gate')).toBeNull()
    expect(trialOf({ cameras: 'x' }, 'gate')).toBeNull()
    expect(trialOf({ ...ANSWER, since: 'yesterday' }, 'gate')).toBeNull()
    expect(trialOf({ since: '2026-03-01T08:00:00Z', until: '2026-03-02T08:00:00Z', cameras: [{ camera: 'gate' }] }, 'gate')).toMatchObject({ rules: [], incidents: [], picture: null })
  })

  it('takes only times that are some', () => {
    const cameras = ANSWER.cameras.map((one) => ({
      ...one,
      begins_at: 'a',
      holes: [{ begins_at: 'a', ends_at: 'b', why: 'node_off' }, ...one.holes],
      incidents: one.incidents.map((each) => ({ ...each, started_at: 'then' })),
      background: { jpeg_base64: 'AAAA', captured_at: 'now' },
    }))
    const trial = trialOf({ ...ANSWER, cameras }, 'gate')
    expect(trial).toMatchObject({ beginsAt: null, pictureAt: null, incidents: [] })
    expect(trial?.holes.map((hole) => hole.why)).toEqual(['node_off'])
  })

  it('shows a picture only of what can be one', () => {
    const odd = { ...ANSWER, cameras: [{ ...ANSWER.cameras[0], background: { jpeg_base64: 'x" onload="' } }] }
    expect(trialOf(odd, 'gate')?.picture).toBeNull()
  })

  it('becomes words of the configuration again', () => {
    expect(asYaml({ zones: [['floor', '0,0.25 1,0.25 1,1']], lines: [] })).toBe('zones:\n  floor: [[0, 0.25], [1, 0.25], [1, 1]]\n')
  })
})
