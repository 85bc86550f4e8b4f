import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import type { OrderDetail } from '@/api/types'
import { i18n } from '@/locale'
import OrderPanel from '@/maintenance/OrderPanel.vue'
import { router } from '@/router'

let app: App | undefined

function detail(part: Partial<OrderDetail> = {}): OrderDetail {
  return {
    id: 1,
    number: 'W-110105-20260317-0001',
    status: 'opened',
    cause: 'camera_trouble',
    severity: 'medium',
    device: { id: 5, node: 'station-01', device: 'cam-1', name: 'Camera 1', kind: 'camera' },
    spot: null,
    grid: null,
    community: null,
    street: null,
    assigned_to: null,
    assigned_name: null,
    opened_at: '2026-03-17T04:30:00Z',
    started_at: '2026-03-17T04:30:00Z',
    assigned_at: null,
    on_site_at: null,
    fixed_at: null,
    ended_at: null,
    last_fault_at: '2026-03-17T04:30:00Z',
    well_since: null,
    fault_count: 0,
    merged_into: null,
    simulated: false,
    version: 1,
    faults: [],
    history: [],
    actions: ['assign', 'cancel', 'note'],
    assignees: [{ id: 9, name: 'mender', display_name: 'Mender' }],
    ...part,
  }
}

/** The panel before a service that has these answers, in turn for what is sent. */
function shown(found: OrderDetail, ...posted: [number, unknown][]): { host: HTMLElement; sent: unknown[] } {
  const sent: unknown[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    let [status, body]: [number, unknown] = [200, found]
    if (request.method === 'POST') {
      sent.push(await request.json())
      ;[status, body] = posted.shift() ?? [200, found]
    }
    return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
  })
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(OrderPanel, { id: 1 }).use(i18n).use(router)
  app.mount(host)
  return { host, sent }
}

const part = (host: HTMLElement, name: string): HTMLElement | null => host.querySelector(`[data-testid="order-${name}"]`)

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('the panel of an order', () => {
  it('offers what the service says, and nothing else', async () => {
    const { host } = shown(detail())
    await vi.waitFor(() => { expect(part(host, 'assign')).not.toBeNull() })
    expect(part(host, 'cancel')).not.toBeNull()
    expect(part(host, 'fix')).toBeNull()
  })

  it('sends nothing that has to be explained before it is', async () => {
    const { host, sent } = shown(detail(), [200, detail({ status: 'cancelled', version: 2, actions: [] })])
    await vi.waitFor(() => { expect(part(host, 'cancel')).not.toBeNull() })
    part(host, 'cancel')?.click()
    await vi.waitFor(() => { expect(part(host, 'send')).not.toBeNull() })
    expect(part(host, 'send')?.hasAttribute('disabled')).toBe(true)
    const note = host.querySelector<HTMLInputElement>('[data-testid="order-note"]')
    const field = note?.matches('input') === true ? note : note?.querySelector('input')
    if (!field) throw new Error('there is no field for a note')
    field.value = 'a drill'
    field.dispatchEvent(new Event('input'))
    await vi.waitFor(() => { expect(part(host, 'send')?.hasAttribute('disabled')).toBe(false) })
    part(host, 'send')?.click()
    await vi.waitFor(() => { expect(sent).toEqual([{ action: 'cancel', version: 1, note: 'a drill' }]) })
    await vi.waitFor(() => { expect(host.querySelector('[data-status="cancelled"]')).not.toBeNull() })
  })

  it('says that somebody else was quicker', async () => {
    const { host } = shown(detail({ status: 'assigned', actions: ['arrive'] }), [409, { detail: 'the order has changed' }])
    await vi.waitFor(() => { expect(part(host, 'arrive')).not.toBeNull() })
    part(host, 'arrive')?.click()
    await vi.waitFor(() => { expect(part(host, 'overtaken')).not.toBeNull() })
  })
})
