import { describe, expect, it } from 'vitest'
import type { TrackPoint } from '@/api/types'
import { overlay, polyline } from '@/cases/track'

const point = (second: number, left: number, top = 0.2, right = left + 0.2, bottom = 0.8): TrackPoint => ({
  at: new Date(Date.UTC(2026, 4, 1, 0, 0, second)).toISOString(),
  left,
  top,
  right,
  bottom,
})
const moment = (second: number): string => new Date(Date.UTC(2026, 4, 1, 0, 0, second)).toISOString()

describe('overlay', () => {
  it('follows the foot of each box in the order of time', () => {
    const { path } = overlay([point(2, 0.4), point(1, 0.2)], moment(2))
    expect(path.map(({ x, y }) => [x.toFixed(2), y.toFixed(2)])).toEqual([['0.30', '0.80'], ['0.50', '0.80']])
  })

  it('ends with the moment of the picture', () => {
    expect(overlay([point(1, 0.1), point(2, 0.2), point(9, 0.7)], moment(2)).path).toHaveLength(2)
  })

  it('shows the box nearest to the picture', () => {
    const { box } = overlay([point(1, 0.1), point(3, 0.5)], moment(4))
    expect(box?.x).toBe(0.5)
    expect(box?.width).toBeCloseTo(0.2)
    expect(box?.height).toBeCloseTo(0.6)
  })

  it('shows no box when it was not seen around that time', () => {
    expect(overlay([point(1, 0.1)], moment(9)).box).toBeNull()
    expect(overlay([point(1, 0.1)], 'never').box).toBeNull()
  })

  it('stays within the picture and leaves out what is no number', () => {
    const { path, box } = overlay([point(1, -0.5, -1, 0.4, 1.7), point(2, NaN)], moment(1))
    expect(path).toEqual([{ x: 0, y: 1 }])
    expect(box).toEqual({ x: 0, y: 0, width: 0.4, height: 1 })
  })

  it('is empty without a track', () => {
    expect(overlay([], moment(1))).toEqual({ path: [], box: null })
  })
})

describe('polyline', () => {
  it('scales to the picture', () => {
    expect(polyline([{ x: 0, y: 0.5 }, { x: 1, y: 1 }], 768, 432)).toBe('0.0,216.0 768.0,432.0')
  })
})
