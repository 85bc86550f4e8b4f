import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import { i18n } from '@/locale'
import CameraChoice from '@/wall/CameraChoice.vue'
import type { Chosen } from '@/wall/wall'

let app: App | undefined

function camera(id: number): Record<string, unknown> {
  return { id, node: 'n', device: `cam-${String(id)}`, name: `Camera ${String(id)}`, spot: null, area: null, simulated: false, presence: 'online', state: null, reason: null, lease_until: null, captured_at: null, url: null }
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('the choice of cameras', () => {
  it('holds no camera that is not in the list: nobody could take it off', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ items: [camera(1), camera(2)], next: null })))
    const sent: Chosen[] = []
    const props = { chosen: { cameras: [7, 1], purpose: 'rounds' }, onDone: (chosen: Chosen) => sent.push(chosen) }
    app = createApp(CameraChoice, props).use(i18n)
    app.mount(document.body.appendChild(document.createElement('div')))
    await vi.waitFor(() => expect(document.querySelector('[data-testid="wall-pick-1"]')).not.toBeNull())
    document.querySelector('#wall-choice')?.dispatchEvent(new Event('submit', { cancelable: true }))
    expect(sent).toEqual([{ cameras: [1], purpose: 'rounds' }])
  })
})
