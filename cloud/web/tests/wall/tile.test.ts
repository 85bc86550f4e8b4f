import { describe, expect, it } from 'vitest'
import type { WallCamera } from '@/api/types'
import { GONE_S, matching, STALE_S, tileView } from '@/wall/tile'

const AT = Date.parse('2026-03-01T12:00:00Z')

function camera(over: Partial<WallCamera> = {}): WallCamera {
  return {
    id: 7,
    node: 'station-01',
    device: 'cam-1',
    name: '大门',
    spot: 'gate',
    area: { code: '110105001001003', name: '三号网格' },
    simulated: false,
    presence: 'online',
    state: 'shown',
    reason: null,
    lease_until: '2026-03-01T12:00:40Z',
    captured_at: '2026-03-01T12:00:00Z',
    url: '/api/v1/wall/7/picture',
    ...over,
  }
}

describe('what a tile shows', () => {
  it('is the newest picture, under an address of its own', () => {
    expect(tileView(camera(), AT + 2_400)).toEqual({ look: 'fresh', ageS: 2, picture: '/api/v1/wall/7/picture?at=2026-03-01T12%3A00%3A00Z' })
  })

  it('grows old where no other one comes, and is gone at last', () => {
    expect(tileView(camera(), AT + (STALE_S - 1) * 1000).look).toBe('fresh')
    expect(tileView(camera(), AT + STALE_S * 1000)).toMatchObject({ look: 'stale', ageS: STALE_S })
    expect(tileView(camera(), AT + GONE_S * 1000)).toEqual({ look: 'none', ageS: null, picture: null })
  })

  it('is the last picture while something is wrong, and never as if it were of now', () => {
    expect(tileView(camera({ state: 'camera_lost' }), AT + 1000).look).toBe('stale')
    expect(tileView(camera({ state: 'node_away', captured_at: null, url: null }), AT)).toMatchObject({ look: 'none', picture: null })
  })

  it('is never younger than now, where the clocks differ', () => {
    expect(tileView(camera(), AT - 9_000).ageS).toBe(0)
  })
})

describe('cameras to choose from', () => {
  const cameras = [camera({ id: 1, node: 'south', name: '西门' }), camera({ id: 2, node: 'north', name: '东门' }), camera({ id: 3, node: 'north', name: '停车场', spot: 'parking' })]

  it('are found by all words, in any field', () => {
    expect(matching(cameras, '门 north').map((one) => one.id)).toEqual([2])
    expect(matching(cameras, 'PARKING').map((one) => one.id)).toEqual([3])
    expect(matching(cameras, '  ').length).toBe(3)
  })

  it('stand by node', () => {
    expect(matching(cameras, '').map((one) => one.node)).toEqual(['north', 'north', 'south'])
  })
})
