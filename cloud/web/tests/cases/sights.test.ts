import { describe, expect, it } from 'vitest'
import type { CameraSight, Evidence } from '@/api/types'
import { cameraOf, posterOf, sightings } from '@/cases/sights'
import { someIncident } from '../fakes/cases'

function sight(part: Partial<CameraSight> = {}): CameraSight {
  return { camera: 'cam-1', name: '车棚', captured_at: null, counts: null, evidence: [], absence: null, trouble: null, ...part }
}

describe('what a camera saw', () => {
  it('is told with the zones first, and without what is not there', () => {
    const counts = [
      { label: 'person', count: 2, zone: null },
      { label: 'vehicle', count: 0, zone: null },
      { label: 'vehicle', count: 1, zone: 'fire-lane' },
    ]
    expect(sightings(sight({ counts }))).toEqual([
      { thing: 'vehicle', count: 1, zone: 'fire-lane' },
      { thing: 'person', count: 2, zone: null },
    ])
  })

  it('tells nobody there from nobody counted', () => {
    expect(sightings(sight({ counts: [{ label: 'person', count: 0, zone: null }] }))).toEqual([])
    expect(sightings(sight())).toBeNull()
  })

  it('names the camera that took a file', () => {
    const incident = someIncident({ views: [sight({ evidence: ['aa'] }), sight({ camera: 'cam-2', name: '大门', evidence: ['bb', 'cc'] })] })
    expect(cameraOf(incident, 'cc')).toBe('大门')
    expect(cameraOf(incident, 'dd')).toBeNull()
    expect(cameraOf(null, 'aa')).toBeNull()
  })

  it('lends a film no picture of another camera', () => {
    const file = (sha256: string, mime: string, stored = true): Evidence => ({
      sha256,
      kind: mime.startsWith('image') ? 'snapshot' : 'clip',
      mime,
      bytes: 1,
      captured_at: '2026-05-01T00:00:00Z',
      stored,
      url: `/${sha256}`,
    })
    const incident = someIncident({
      evidence: [file('aa', 'image/jpeg'), file('bb', 'image/jpeg'), file('cc', 'video/webm'), file('dd', 'video/webm')],
      views: [sight({ evidence: ['aa', 'dd'] }), sight({ camera: 'cam-2', name: '大门', evidence: ['bb', 'cc'] })],
    })
    expect(posterOf(incident, 'cc')).toBe('/bb')
    expect(posterOf(incident, 'dd')).toBe('/aa')
    const own = someIncident({ evidence: [file('ee', 'image/jpeg', false), file('ff', 'image/jpeg'), file('gg', 'video/webm')] })
    expect(posterOf(own, 'gg')).toBe('/ff')
    expect(posterOf(null, 'gg')).toBeUndefined()
  })
})
