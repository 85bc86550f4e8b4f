import { describe, expect, it } from 'vitest'
import type { Device } from '@/api/types'
import { withPresence, withReadings } from '@/devices/devices'

const T = (second: number): string => new Date(Date.UTC(2026, 4, 1, 0, 0, second)).toISOString()
const device: Device = {
  id: 3,
  node: 'station-01',
  device: 'pile-01',
  name: '1号充电桩',
  kind: 'charging_pile',
  spot: null,
  grid: null,
  longitude: null,
  latitude: null,
  presence: 'online',
  presence_since: T(10),
  last_seen_at: T(10),
  simulated: true,
  points: [{ name: 'temperature_c', kind: 'number', unit: '°C', minimum: null, maximum: null, period_s: 5, latest: { observed_at: T(10), value: 20 } }],
  department: null,
  profile: null,
  behind: null,
  backlog: null,
  link: null,
}

describe('withReadings', () => {
  it('moves the latest value forward', () => {
    const newer = withReadings(device, [{ device_id: 3, point: 'temperature_c', observed_at: T(15), value: 21 }])
    expect(newer.points[0]?.latest?.value).toBe(21)
    expect(newer.last_seen_at).toBe(T(15))
  })

  it('ignores late readings, other devices and unknown points', () => {
    const told = [
      { device_id: 3, point: 'temperature_c', observed_at: T(9), value: 5 },
      { device_id: 4, point: 'temperature_c', observed_at: T(20), value: 5 },
      { device_id: 3, point: 'current_a', observed_at: T(20), value: 5 },
    ]
    expect(withReadings(device, told)).toBe(device)
  })
})

describe('withPresence', () => {
  const told = { id: 3, node: 'station-01', device: 'pile-01', presence: 'lost', last_seen_at: null } as const

  it('takes a newer word and not an older one', () => {
    expect(withPresence(device, { ...told, presence_since: T(20) }).presence).toBe('lost')
    expect(withPresence(device, { ...told, presence_since: T(5) })).toBe(device)
  })

  it('keeps when the device was last seen if the word does not say', () => {
    expect(withPresence(device, { ...told, presence_since: T(20) }).last_seen_at).toBe(T(10))
  })
})
