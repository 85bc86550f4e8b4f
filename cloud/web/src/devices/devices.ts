import { shallowReactive } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Device } from '@/api/types'
import type { DevicePresence, NewestReading } from '@/live/event'
import { useLive } from '@/live/feed'
import { useSettled } from '@/time/settle'

const PAGE = 200
/** More than a screen can use; beyond it the page says that it left some out. */
const LIMIT = 2000
const RELOAD_GAP_MS = 5000

/** A device after a word on its presence; an older word changes nothing. */
export function withPresence(device: Device, told: DevicePresence): Device {
  const [known, now] = [device.presence_since, told.presence_since]
  if (known !== null && now !== null && Date.parse(now) < Date.parse(known)) return device
  return { ...device, presence: told.presence, presence_since: now, last_seen_at: told.last_seen_at ?? device.last_seen_at }
}

/** A device after new readings of its points; the latest value only moves forward. */
export function withReadings(device: Device, told: readonly NewestReading[]): Device {
  let seen = device.last_seen_at
  let changed = false
  const points = device.points.map((point) => {
    const reading = told.find((one) => one.device_id === device.id && one.point === point.name)
    if (reading === undefined) return point
    if (point.latest !== null && Date.parse(reading.observed_at) <= Date.parse(point.latest.observed_at)) return point
    if (seen === null || Date.parse(reading.observed_at) > Date.parse(seen)) seen = reading.observed_at
    changed = true
    return { ...point, latest: { observed_at: reading.observed_at, value: reading.value } }
  })
  return changed ? { ...device, points, last_seen_at: seen } : device
}

export interface DeviceList {
  items: readonly Device[]
  cut: boolean
  loading: boolean
  problem: Problem | null
  load: () => Promise<void>
}

/** All devices in the person's scope (up to a limit), kept current by the live stream. */
export function useDevices(): DeviceList {
  const list = shallowReactive<DeviceList>({ items: [], cut: false, loading: true, problem: null, load })
  let latest = 0

  async function load(): Promise<void> {
    latest += 1
    const mine = latest
    list.loading = true
    try {
      const items: Device[] = []
      let after: string | null = null
      do {
        const query: { limit: number; after?: string } = after === null ? { limit: PAGE } : { limit: PAGE, after }
        const page = await take(api.GET('/api/v1/devices', { params: { query } }))
        items.push(...page.items)
        after = page.next
      } while (after !== null && items.length < LIMIT && mine === latest)
      if (mine !== latest) return
      list.items = items
      list.cut = after !== null
      list.problem = null
    } catch (thrown) {
      if (mine === latest) list.problem = asProblem(thrown)
    } finally {
      if (mine === latest) list.loading = false
    }
  }

  const reloadSoon = useSettled(() => void load(), RELOAD_GAP_MS)
  useLive('device.presence', (told) => {
    if (!list.items.some((device) => device.id === told.id)) {
      reloadSoon() // a device that is new to the page
      return
    }
    list.items = list.items.map((device) => (device.id === told.id ? withPresence(device, told) : device))
  })
  useLive('device.readings', (told) => {
    const ids = new Set(told.readings.map((reading) => reading.device_id))
    list.items = list.items.map((device) => (ids.has(device.id) ? withReadings(device, told.readings) : device))
  })
  useLive('node.presence', reloadSoon)
  useLive('resync', () => void load())
  void load()
  return list
}
