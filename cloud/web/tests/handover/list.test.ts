import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import HandoverPage from '@/handover/HandoverPage.vue'
import { recordIn } from '@/handover/handover'
import { i18n } from '@/locale'
import { router as pages } from '@/router'

const RECORD = { id: 3, kind: 'duty_chief', area_code: '110105', area_name: 'Chaoyang', giver: 'li', taker: null, ends_at: '2026-03-17T12:00:00Z', given_at: null, taken_at: null, may_give: true, may_take: false, overdue: false }
const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve) })

let app: App
let host: HTMLElement
let asked: string[]

beforeEach(() => {
  asked = []
  vi.stubGlobal('fetch', async (request: Request) => {
    asked.push(new URL(request.url).pathname)
    return new Response(JSON.stringify({ items: [RECORD] }), { status: 200, headers: { 'content-type': 'application/json' } })
  })
  host = document.createElement('div')
})

afterEach(() => {
  app.unmount()
  vi.unstubAllGlobals()
})

async function open(path: string): Promise<void> {
  const router = createRouter({ history: createMemoryHistory(), routes: pages.options.routes })
  await router.push(path)
  app = createApp(HandoverPage).use(i18n).use(router)
  app.mount(host)
  await settle()
  await settle()
}

describe('the page of records', () => {
  it('shows the list where the address names no record', async () => {
    await open('/handover')
    expect(asked).toEqual(['/api/v1/duty/records'])
    expect(host.querySelectorAll('[data-testid="handover-row"]')).toHaveLength(1)
    expect(host.querySelector('[role="alert"]')).toBeNull()
  })

  it('reads the record that the address names', () => {
    expect([recordIn('12'), recordIn(''), recordIn(undefined), recordIn(['12'])]).toEqual([12, null, null, null])
  })
})
