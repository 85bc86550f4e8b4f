import { describe, expect, it } from 'vitest'
import type { CameraSight } from '@/api/types'
import { cameraOf, sightings } from '@/cases/sights'
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
})
