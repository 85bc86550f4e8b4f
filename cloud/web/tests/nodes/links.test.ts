import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { Node } from '@/api/types'
import DeviceLink from '@/devices/DeviceLink.vue'
import { i18n } from '@/locale'
import CameraLinks from '@/nodes/CameraLinks.vue'
import { linksOf } from '@/nodes/links'
import { ago, health, node, NOW } from '../fakes/nodes'

type Told = NonNullable<Node['health']>['cameras'][number]

const camera = (id: number, reconnects: number, stalls: number, changes: Partial<Told> = {}): Told => ({ device_id: id, camera: `cam-${id}`, name: `Camera ${id}`, simulated: false, presence: 'online', reconnects_per_hour: reconnects, stalls_per_hour: stalls, ...changes })
const station = (cameras: Told[], changes: Parameters<typeof health>[0] = {}): Node => node(health({ ...changes, cameras }))

describe('the connections of cameras', () => {
  it('are told of over all nodes, the worst first, and those that are away before all others', () => {
    const nodes = [station([camera(1, 2, 1), camera(2, 0, 0)]), station([camera(3, 9, 4), camera(4, 0, 0, { presence: 'lost' })])]
    const links = linksOf(nodes, NOW)
    expect(links.told).toBe(4)
    expect(links.unsteady.map((link) => link.camera)).toEqual(['cam-4', 'cam-3', 'cam-1'])
  })

  it('are not known of a node that fell silent or never told', () => {
    expect(linksOf([station([camera(1, 9, 9)], { told_at: ago(30) }), node(null)], NOW)).toEqual({ told: 0, unsteady: [] })
  })
})

describe('what is shown of them', () => {
  let app: App | undefined
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/device/:id', name: 'device', component: { render: () => null } }] })
  const shown = (component: Parameters<typeof createApp>[0], props: Record<string, unknown>): HTMLElement => {
    const host = document.body.appendChild(document.createElement('div'))
    app = createApp(component, props).use(i18n).use(router)
    app.mount(host)
    return host
  }
  beforeEach(() => vi.useFakeTimers({ now: NOW }))
  afterEach(() => {
    app?.unmount()
    document.body.replaceChildren()
    vi.useRealTimers()
  })

  it('is nothing where no node tells of cameras, and one line where all are steady', () => {
    expect(shown(CameraLinks, { nodes: [station([])] }).textContent).toBe('')
    const host = shown(CameraLinks, { nodes: [station([camera(1, 0, 0), camera(2, 0, 0)])] })
    expect(host.querySelector('[data-testid="links-steady"]')?.textContent).toContain('2 台摄像机连接平稳')
  })

  it('is a row for each that is not, eight of them at first', async () => {
    const host = shown(CameraLinks, { nodes: [station(Array.from({ length: 12 }, (_, id) => camera(id, 12 - id, 0)))] })
    const rows = (): string[] => [...host.querySelectorAll<HTMLElement>('[data-testid="camera-link"]')].map((row) => row.dataset['camera'] ?? '')
    expect(rows()).toHaveLength(8)
    expect(rows()[0]).toBe('cam-0')
    host.querySelector<HTMLElement>('[data-testid="links-all"]')?.click()
    await vi.waitFor(() => expect(rows()).toHaveLength(12))
  })

  it('says which of them is simulated', () => {
    const host = shown(CameraLinks, { nodes: [station([camera(1, 3, 0, { simulated: true }), camera(2, 2, 0)])] })
    expect(host.querySelectorAll('[data-testid="camera-link"] [data-testid="simulated"]')).toHaveLength(1)
  })

  it('is told on the page of the camera too, with its age when it is old', () => {
    const link = { told_at: ago(1), reconnects_per_hour: 3, stalls_per_hour: 1 }
    expect(shown(DeviceLink, { link }).querySelector('[data-testid="reconnects"]')?.textContent).toBe('3')
    expect(shown(DeviceLink, { link }).querySelector('[data-testid="gate"]')).toBeNull()
    const gated = shown(DeviceLink, { link: { ...link, gate: { state: 'watching', reason: 'still', audited_s: 864, found: 5, missed: 1 } } })
    expect(gated.querySelector('[data-testid="gate-audit"]')?.textContent).toContain('5')
    expect(gated.querySelector('[data-testid="gate-audit"]')?.classList.contains('warning')).toBe(true)
    const old = shown(DeviceLink, { link: { ...link, told_at: ago(30) } })
    expect(old.querySelector<HTMLElement>('[data-testid="device-link"]')?.dataset['stale']).toBe('true')
  })
})
