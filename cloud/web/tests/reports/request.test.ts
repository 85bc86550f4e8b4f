import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { i18n } from '@/locale'
import RequestPage from '@/public/RequestPage.vue'

const PAGE = { number: '110105-20260501-0001', progress: 'closed', service_zh: '房屋维修', service_en: 'Repairs at home', requested_at: '2026-05-01T00:00:00Z', updated_at: '2026-05-01T02:00:00Z', rating: null, ratable: true }
let app: App
let host: HTMLElement
let asked: [string, unknown][]
const find = (id: string): HTMLElement | null => host.querySelector<HTMLElement>(`[data-testid="${id}"]`)
const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve, 20) })

beforeEach(async () => {
  asked = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const body: unknown = request.method === 'POST' ? await request.json() : null
    asked.push([`${request.method} ${new URL(request.url).pathname}`, body])
    const answer = request.method === 'POST' ? { ...PAGE, progress: 'received', ratable: false } : PAGE
    return new Response(JSON.stringify(answer), { headers: { 'content-type': 'application/json' } })
  })
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/r/:link', component: RequestPage }] })
  await router.push('/r/abc')
  host = document.body.appendChild(document.createElement('div'))
  app = createApp(RequestPage).use(i18n).use(router)
  app.mount(host)
  await settle()
})

afterEach(() => {
  app.unmount()
  host.remove()
  vi.unstubAllGlobals()
})

describe('RequestPage', () => {
  it('tells how far it is, and takes the stars once', async () => {
    expect(find('request-progress')?.dataset['progress']).toBe('closed')
    find('rate-1')?.click()
    await settle()
    expect(asked.at(-1)).toEqual(['POST /api/v1/public/requests/abc/rating', { rating: 1 }])
    expect(find('request-progress')?.dataset['progress']).toBe('received')
    expect(find('rate-1')).toBeNull()
  })
})
