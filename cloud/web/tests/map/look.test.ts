import { describe, expect, it } from 'vitest'
import { deviceLook, gridLook } from '@/map/look'

describe('gridLook', () => {
  it('is quiet without open cases', () => {
    expect(gridLook({ open_cases: 0, severity: null }, false).fill).toBe('map-grid')
  })

  it('takes the colour of the worst case and grows denser to a limit', () => {
    const [few, many, more] = [1, 6, 60].map((open_cases) => gridLook({ open_cases, severity: 'critical' }, false))
    expect(few?.fill).toBe('critical')
    expect(few?.opacity).toBeLessThan(many?.opacity ?? 0)
    expect(more?.opacity).toBe(many?.opacity)
  })

  it('shows which grid was chosen', () => {
    expect(gridLook({ open_cases: 0, severity: null }, true).line).toBe('accent')
  })
})

describe('deviceLook', () => {
  it('tells presences apart by more than colour', () => {
    const looks = (['online', 'degraded', 'lost', 'unknown'] as const).map((presence) => {
      const { weight, fill, dash } = deviceLook(presence)
      return `${String(weight)} ${fill === 'map-ground' ? 'hollow' : 'full'} ${dash ?? ''}`
    })
    expect(new Set(looks).size).toBe(4)
  })
})
