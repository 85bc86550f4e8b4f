import { describe, expect, it } from 'vitest'
import { declaredRange } from '@/telemetry/declared'

const told = (minimum: number | null, maximum: number | null, unit: string | null): unknown => {
  const found = declaredRange({ minimum, maximum }, unit, 'en')
  return found === null ? null : [found.key, found.slots.low, found.slots.high]
}

describe('the declared range', () => {
  it('has both ends with their unit, in thousands where the unit is counted so', () => {
    expect(told(-60, 400, '°C')).toEqual(['device.declared', '-60 °C', '400 °C'])
    expect(told(0, 2_000_000, 'W')).toEqual(['device.declared', '0', '2 MW'])
    expect(told(0, 999_999, 'Wh')).toEqual(['device.declared', '0', '999.999 kWh'])
    expect(told(-1, 1, null)).toEqual(['device.declared', '-1', '1'])
    expect(told(0, 100_000, 'rpm')).toEqual(['device.declared', '0', '100000 rpm'])
    expect(told(0, 7_200, 's')).toEqual(['device.declared', '0', '2 h'])
  })

  it('is open where its limit only keeps nonsense out, and nothing where both do', () => {
    expect(told(0, 1e13, 'Wh')).toEqual(['device.declaredFrom', '0', ''])
    expect(told(0, 1e9, 'Wh')).toEqual(['device.declaredFrom', '0', ''])
    expect(told(-1e13, 5, 'varh')).toEqual(['device.declaredTo', '', '5 varh'])
    expect(told(-1e13, 1e13, 'varh')).toBeNull()
  })

  it('is nothing for a point without one', () => {
    expect(told(null, null, '°C')).toBeNull()
    expect(told(0, null, null)).toBeNull()
  })
})
