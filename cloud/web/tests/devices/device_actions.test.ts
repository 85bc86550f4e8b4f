import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import type { Command, Device } from '@/api/types'
import DeviceActions from '@/devices/DeviceActions.vue'
import { answerOf, connectorsOf, emptyForm, mayAct, orderOf, settingsOf } from '@/devices/action'
import { i18n } from '@/locale'

const POINT = { kind: 'number' as const, event: false, unit: null, minimum: null, maximum: null, period_s: null, latest: null }
const PILE = {
  id: 7,
  node: 'station-01',
  device: 'pile-1',
  name: '一号桩',
  kind: 'charging_pile',
  presence: 'online',
  points: ['faults', 'temperature_c.2', 'temperature_c.1', 'temperature_c.0'].map((name) => ({ ...POINT, name })),
} as unknown as Device

function command(part: Partial<Command> = {}): Command {
  return {
    id: '019530b4-0000-7000-8000-00000000000c',
    node: 'station-01',
    device: 'pile-1',
    name: 'device_action',
    state: 'queued',
    asked_by: 'chief',
    asked_at: '2026-03-01T12:00:00Z',
    deadline: '2026-03-01T12:00:45Z',
    delivered_at: null,
    ended_at: null,
    reason: null,
    result: null,
    ...part,
  }
}

let app: App | undefined
let sent: unknown[] = []

function shown(device: Device, posted: [number, unknown]): HTMLElement {
  vi.stubGlobal('fetch', async (request: Request) => {
    if (request.method === 'POST') sent.push(await request.json())
    const [status, body] = request.method === 'POST' ? posted : [200, posted[1]]
    return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
  })
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(DeviceActions, { device }).use(i18n)
  app.mount(host)
  return host
}

const part = (name: string): HTMLElement | null => document.querySelector(`[data-testid="act-${name}"]`)

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
  sent = []
})

describe('what a device is asked', () => {
  it('is said for each action', () => {
    const form = { ...emptyForm(), connector: 2, key: ' Key ', value: ' v', location: 'https://a/b.bin' }
    expect(orderOf('stop_charge', form)).toEqual({ action: 'stop_charge', connector: 2, arguments: {} })
    expect(orderOf('reset', form)).toEqual({ action: 'reset', arguments: { kind: 'soft' } })
    expect(orderOf('trigger_message', form)).toEqual({ action: 'trigger_message', connector: 2, arguments: { message: 'meter_values' } })
    expect(orderOf('read_configuration', form)).toEqual({ action: 'read_configuration', arguments: { keys: ['Key'] } })
    expect(orderOf('change_configuration', form)).toEqual({ action: 'change_configuration', arguments: { key: 'Key', value: ' v' } })
    expect(orderOf('update_firmware', form)).toEqual({ action: 'update_firmware', arguments: { location: 'https://a/b.bin' } })
    expect(orderOf('change_configuration', emptyForm())).toBeNull()
    expect(orderOf('update_firmware', emptyForm())).toBeNull()
  })

  it('knows the connectors by the points', () => {
    expect(connectorsOf(PILE)).toEqual([1, 2])
    expect(mayAct(PILE)).toBe(true)
    expect(mayAct({ ...PILE, kind: 'camera' })).toBe(false)
  })

  it('reads whatever a pile answers', () => {
    const answer = { configurationKey: [{ key: 'A', value: '1', readonly: true }, { key: 'B' }, 7, null] }
    expect(settingsOf({ answer })).toEqual([
      { key: 'A', value: '1' },
      { key: 'B', value: '' },
    ])
    expect(settingsOf({ answer: 'x' })).toEqual([])
    expect(settingsOf(null)).toEqual([])
    expect(answerOf({ answer: { status: 'RebootRequired' } })).toBe('RebootRequired')
    expect(answerOf({})).toBeNull()
  })

  it('is sent only after a second look, and its end is told', async () => {
    const refused = command({ state: 'refused', reason: 'the pile refuses stop_charge: Rejected', ended_at: '2026-03-01T12:00:01Z' })
    shown(PILE, [202, refused])
    part('ask')?.click()
    await vi.waitFor(() => expect(part('send')).not.toBeNull())
    expect(sent).toEqual([])
    part('send')?.click()
    await vi.waitFor(() => expect(part('not-done')?.textContent).toContain('Rejected'))
    expect(sent).toEqual([{ action: 'stop_charge', connector: null, arguments: {} }])
  })

  it('is not asked of one that is away', async () => {
    shown({ ...PILE, presence: 'lost' }, [202, command()])
    await vi.waitFor(() => expect(part('away')).not.toBeNull())
    expect((part('ask') as HTMLButtonElement | null)?.disabled).toBe(true)
  })
})
