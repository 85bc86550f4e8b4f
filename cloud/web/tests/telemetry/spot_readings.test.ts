import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import { i18n } from '@/locale'
import SpotReadings from '@/telemetry/SpotReadings.vue'

let app: App | undefined

function shownOf(status: number, body: unknown): HTMLElement {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })))
  const host = document.body.appendChild(document.createElement('div'))
  const props = { caseId: 1, incidentId: '0196898c-0000-7000-8000-000000000001', deviceId: 7, startedAt: '2026-05-01T00:00:00Z', endedAt: null }
  app = createApp(SpotReadings, props).use(i18n).component('RouterLink', { template: '<a><slot /></a>' })
  app.mount(host)
  return host
}

const point = { point: 'temperature_c.1', unit: '°C', observed_at: '2026-05-01T00:00:00Z', value: 71.25, minimum: 40, maximum: 72, readings: 12 }
const stop = { point: 'stop_reason.1', unit: null, observed_at: '2026-05-01T00:00:00Z', value: 'remote', minimum: null, maximum: null, readings: 0 }
const state = { point: 'faults', unit: null, observed_at: '2026-05-01T00:00:00Z', value: 'none', minimum: null, maximum: null, readings: 0 }

function surroundings(devices: unknown[]): unknown {
  const at = '2026-05-01T00:00:00Z'
  return { spot: { id: 'shed', name: '东侧车棚' }, moment: at, from_at: at, to_at: at, devices }
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('the readings at the spot', () => {
  it('are those of the other devices, never of the cameras', async () => {
    const host = shownOf(
      200,
      surroundings([
        { id: 7, device: 'pile-7', name: 'mine', kind: 'charging_pile', points: [point] },
        { id: 8, device: 'pile-8', name: 'other', kind: 'charging_pile', points: [point, state, stop] },
        { id: 9, device: 'cam-9', name: 'camera', kind: 'camera', points: [] },
      ]),
    )
    await vi.waitFor(() => expect(host.querySelectorAll('[data-testid="spot-device"]')).toHaveLength(1))
    expect(host.textContent).toContain('东侧车棚')
    const [number, word, reason] = [...host.querySelectorAll('[data-testid="spot-point"]')].map((item) => item.textContent ?? '')
    expect(number).toContain(`${i18n.global.t('point.temperature_c')} 1`)
    expect(number).toContain('71.3 °C')
    expect(word).toContain(i18n.global.t('device.nothing'))
    expect(word).not.toContain('none')
    expect(reason).toContain(i18n.global.t('stopReason.remote'))
    expect(reason).not.toContain('remote')
  })

  it('are not spoken of where nothing else stands, and said to be missing where something does', async () => {
    const host = shownOf(200, surroundings([{ id: 7, device: 'pile-7', name: 'mine', kind: 'charging_pile', points: [point] }]))
    await Promise.resolve()
    expect(host.querySelector('[data-testid="spot-readings"]')).toBeNull()
    app?.unmount()
    const quiet = shownOf(200, surroundings([{ id: 8, device: 'pile-8', name: 'other', kind: 'sensor', points: [] }]))
    await vi.waitFor(() => expect(quiet.textContent).toContain(i18n.global.t('case.spotQuiet')))
  })

  it('say that they could not be asked for', async () => {
    const host = shownOf(500, { title: 'Internal error' })
    await vi.waitFor(() => expect(host.querySelector('[data-testid="problem"]')).not.toBeNull())
  })
})
