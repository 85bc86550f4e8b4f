import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import DeviceCases from '@/devices/DeviceCases.vue'
import { i18n } from '@/locale'
import { someCase } from '../fakes/cases'

const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve) })
const page = { template: '<p />' }

let app: App
let host: HTMLElement
let status: number

beforeEach(async () => {
  status = 428
  vi.stubGlobal('fetch', async (asked: Request | string) => {
    if (typeof asked === 'string') return new Response(null, { status })
    return new Response(JSON.stringify({ items: [someCase(7, { picture: '/api/v1/evidence/abc' })], next: null }), { status: 200, headers: { 'content-type': 'application/json' } })
  })
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: page }, { path: '/cases/:id', name: 'case', component: page }] })
  host = document.createElement('div')
  app = createApp(DeviceCases, { deviceId: 1, camera: true }).use(i18n).use(router)
  app.mount(host)
  await settle()
  await settle()
})

afterEach(() => {
  app.unmount()
  vi.unstubAllGlobals()
})

describe('the last picture of a device', () => {
  it.each([[428, i18n.global.t('device.pictureNeedsPurpose')], [404, i18n.global.t('case.pictureGone')]])('that can not be shown (%i) is no broken picture', async (answer, words) => {
    status = answer
    host.querySelector('img')?.dispatchEvent(new Event('error'))
    await settle()
    await settle()
    expect(host.querySelector('img')).toBeNull()
    const box = host.querySelector('[data-testid="device-picture"]')
    expect(box?.textContent).toContain(words)
    expect(box?.querySelector('a')?.getAttribute('href')).toBe('/cases/7')
  })
})
