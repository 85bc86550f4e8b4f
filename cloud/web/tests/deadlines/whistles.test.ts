import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'
import CaseClock from '@/deadlines/CaseClock.vue'
import CaseWhistles from '@/deadlines/CaseWhistles.vue'
import { i18n } from '@/locale'

const CALL = { id: 5, department: 'Water', person: null, called_at: '2026-03-17T01:00:00Z', due_at: '2026-03-17T02:00:00Z', arrived_at: null, arrived_by: null, note: null, overdue_at: null, mine: true }
const BLOWN = { id: 4, level: 'street', blown_at: '2026-03-17T01:00:00Z', blown_by: null, note: 'come', ended_at: null, ended_by: null, end_note: null, calls: [CALL] }
const CLOCK = { id: 1, case_id: 1, stage: 'handling', state: 'running', light: 'red', started_at: '2026-03-17T01:00:00Z', amber_at: '2026-03-17T01:30:00Z', due_at: '2026-03-17T02:00:00Z', stopped_at: null, extended: true, makeshift: false, remaining_s: -9 }

let app: App
let host: HTMLElement
let asked: string[]
let answers: Record<string, [number, unknown]>

const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve) })
const find = (id: string): HTMLElement | null => host.querySelector<HTMLElement>(`[data-testid="${id}"]`)

async function show(component: typeof CaseWhistles | typeof CaseClock): Promise<void> {
  app = createApp(component, { caseId: 1, version: 1 }).use(i18n)
  app.mount(host)
  await settle()
}

beforeEach(() => {
  asked = []
  answers = { 'GET /api/v1/cases/1/whistles': [200, { items: [BLOWN], levels: ['grid', 'street'] }] }
  vi.stubGlobal('fetch', (request: Request) => {
    const what = `${request.method} ${new URL(request.url).pathname}`
    asked.push(what)
    const [status, body] = answers[what] ?? [404, { title: 'x', status: 404, detail: 'x', type: 'x' }]
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } }))
  })
  host = document.body.appendChild(document.createElement('div'))
})

afterEach(() => {
  app.unmount()
  host.remove()
  vi.unstubAllGlobals()
})

describe('CaseWhistles', () => {
  it('lets who was called report in, once', async () => {
    const arrival = 'POST /api/v1/cases/1/whistles/4/calls/5/arrival'
    answers[arrival] = [200, { items: [{ ...BLOWN, calls: [{ ...CALL, arrived_at: '2026-03-17T01:20:00Z' }] }], levels: [] }]
    await show(CaseWhistles)
    find('report-in')?.click()
    await settle()
    expect(asked).toContain(arrival)
    expect(find('report-in')).toBeNull()
    expect(find('whistle-call')?.dataset.came).toBe('true')
  })

  it('tells why it was not taken, and shows how it is', async () => {
    answers['POST /api/v1/cases/1/whistles/4/calls/5/arrival'] = [409, { type: 'about:blank', title: 'Conflict', status: 409, detail: 'they have reported in already' }]
    await show(CaseWhistles)
    find('report-in')?.click()
    await settle()
    await settle()
    expect(host.querySelector('[role="alert"]') ?? host.textContent).toBeTruthy()
    expect(asked.filter((what) => what === 'GET /api/v1/cases/1/whistles')).toHaveLength(2)
  })

  it('is not there for who has nothing to do with one', async () => {
    answers['GET /api/v1/cases/1/whistles'] = [200, { items: [], levels: [] }]
    await show(CaseWhistles)
    expect(find('case-whistles')).toBeNull()
  })
})

describe('CaseClock', () => {
  it('shows the light of the stage that runs, and that it was given time', async () => {
    answers['GET /api/v1/cases/1/clock'] = [200, { now: '2026-03-17T03:00:00Z', current: CLOCK, clocks: [{ ...CLOCK, id: 2, state: 'ended', light: 'amber', stage: 'verifying' }, CLOCK], firings: [] }]
    await show(CaseClock)
    expect(find('clock-now')?.dataset.light).toBe('red')
    expect(find('clock-before')?.dataset.light).toBe('amber')
    expect(host.querySelector('.badge')).not.toBeNull()
  })
})
