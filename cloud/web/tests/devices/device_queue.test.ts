import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import DeviceQueue from '@/devices/DeviceQueue.vue'
import { i18n } from '@/locale'
import { health, node } from '../fakes/nodes'

let app: App | undefined

function shownOf(status: number, body: unknown): HTMLElement {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })))
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(DeviceQueue, { node: 'station-01', backlog: null, itself: true }).use(i18n).component('RouterLink', { render: () => null })
  app.mount(host)
  return host
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('DeviceQueue of a node itself', () => {
  it('says what the node told, once it is known', async () => {
    const host = shownOf(200, node(health()))
    expect(host.querySelector('[data-testid="node-queue"]')).toBeNull()
    await vi.waitFor(() => expect(host.querySelector('[data-testid="queue-clear"]')).not.toBeNull())
  })

  it('does not call a node silent because the service does not answer', async () => {
    const host = shownOf(500, { title: 'Internal error' })
    await vi.waitFor(() => expect(host.querySelector('[data-testid="problem"]')).not.toBeNull())
    expect(host.textContent).not.toContain(i18n.global.t('queue.never'))
  })
})
