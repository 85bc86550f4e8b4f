import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, type Component, createApp } from 'vue'
import { i18n } from '@/locale'
import { enrolCommand, grouped } from '@/nodes/fingerprint'
import NodeIdentity from '@/nodes/NodeIdentity.vue'
import WaitingDevices from '@/nodes/WaitingDevices.vue'

const KEY = '0123456789abcdef'.repeat(4)
const AT = '2026-03-01T12:00:00Z'

let app: App | undefined

interface Asked {
  path: string
  method: string
  body: unknown
}

/** A component before a service that answers a GET with `told`; what it was asked comes back. */
function shown(component: Component, props: Record<string, unknown>, told: unknown): [HTMLElement, Asked[]] {
  const asked: Asked[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const body = request.method === 'GET' ? null : ((await request.json()) as unknown)
    asked.push({ path: new URL(request.url).pathname, method: request.method, body })
    if (request.method !== 'GET') return new Response(null, { status: 204 })
    return new Response(JSON.stringify(told), { status: 200, headers: { 'content-type': 'application/json' } })
  })
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(component, props).use(i18n)
  app.mount(host)
  return [host, asked]
}

function waiting(device: string, part: Record<string, unknown> = {}): Record<string, unknown> {
  return { device, name: null, kind: 'sensor', spot: null, profile: null, simulated: false, points: [{ name: 'smoke', unit: null }], reason: 'new', first_seen_at: AT, last_seen_at: AT, ignored_at: null, ignored_by: null, ...part }
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('enrolment', () => {
  it('shows a fingerprint in groups that can be read out, and the command without the code', () => {
    expect(grouped(KEY).split(' ')).toHaveLength(8)
    expect(grouped(KEY).replaceAll(' ', '')).toBe(KEY)
    expect(enrolCommand('https://cloud.example')).toBe('gridward-edge enrol --config node.yaml --cloud https://cloud.example')
  })

  it('asks for a key only when somebody opens it, and asks the node to renew', async () => {
    const identity = { node: 'station-01', key: KEY, bound_at: AT, has_secrets: false, secrets_until: null, renewal_wanted_at: null, trusts_births: false, credentials: [{ generation: 2, issued_at: AT, expires_at: AT, used_at: AT }] }
    const [host, asked] = shown(NodeIdentity, { node: 'station-01', waiting: 1 }, identity)
    expect(asked).toEqual([])
    const details = host.querySelector('details')
    details?.setAttribute('open', '')
    details?.dispatchEvent(new Event('toggle'))
    await vi.waitFor(() => expect(host.querySelector('[data-testid="fingerprint"]')?.textContent).toBe(grouped(KEY)))
    host.querySelector<HTMLElement>('[data-testid="rotate"]')?.click()
    await vi.waitFor(() => expect(asked).toContainEqual({ path: '/api/v1/nodes/station-01/rotate', method: 'POST', body: { at_once: false } }))
  })

  it('accepts one device, or all that wait', async () => {
    const told = { items: [waiting('smoke-01'), waiting('smoke-02', { reason: 'kind_changed' }), waiting('old-01', { ignored_at: AT, ignored_by: 'keeper' })] }
    const [host, asked] = shown(WaitingDevices, { node: 'station-01' }, told)
    await vi.waitFor(() => expect(host.querySelectorAll('[data-testid="waiting-device"]')).toHaveLength(2))
    expect(host.textContent).toContain('old-01')
    host.querySelector<HTMLElement>('[data-device="smoke-02"] [data-testid="device-accept"]')?.click()
    await vi.waitFor(() => expect(asked).toContainEqual({ path: '/api/v1/nodes/station-01/waiting-devices', method: 'POST', body: { decision: 'accept', devices: ['smoke-02'] } }))
    await vi.waitFor(() => expect(host.querySelector<HTMLButtonElement>('[data-testid="devices-accept-all"]')?.disabled).toBe(false))
    host.querySelector<HTMLElement>('[data-testid="devices-accept-all"]')?.click()
    await vi.waitFor(() => expect(asked).toContainEqual({ path: '/api/v1/nodes/station-01/waiting-devices', method: 'POST', body: { decision: 'accept', devices: null } }))
  })
})
