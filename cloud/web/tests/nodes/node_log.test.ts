import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp } from 'vue'
import type { Command, Presence } from '@/api/types'
import { i18n } from '@/locale'
import NodeLog from '@/nodes/NodeLog.vue'

let app: App | undefined

function command(part: Partial<Command> = {}): Command {
  return {
    id: '019530b4-0000-7000-8000-00000000000c',
    node: 'station-01',
    device: null,
    name: 'log_tail',
    state: 'queued',
    asked_by: 'keeper',
    asked_at: '2026-03-01T12:00:00Z',
    deadline: '2026-03-01T12:00:20Z',
    delivered_at: null,
    ended_at: null,
    reason: null,
    result: null,
    ...part,
  }
}

const ANSWER = { lines: [{ at: '2026-03-01T12:00:00Z', level: 'warning', text: 'camera lost' }], cut: true }
const DONE = command({ state: 'done', ended_at: '2026-03-01T12:00:01Z', result: ANSWER })

interface Service {
  listed?: Command[]
  found?: Command
  posted?: [number, unknown]
}

/** The panel before a service that has these answers. */
function shownOf(service: Service, presence: Presence = 'online'): HTMLElement {
  vi.stubGlobal('fetch', (request: Request) => {
    const [status, body] =
      request.method === 'POST' ? (service.posted ?? [202, command()]) : new URL(request.url).pathname.endsWith('/commands') ? [200, { items: (service.listed ?? []).map((one) => ({ ...one, result: null })) }] : [200, service.found]
    return Promise.resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } }))
  })
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(NodeLog, { node: 'station-01', presence }).use(i18n)
  app.mount(host)
  return host
}

const part = (host: HTMLElement, name: string): HTMLElement | null => host.querySelector(`[data-testid="log-${name}"]`)

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('the log of a node', () => {
  it('shows what was fetched last, with its time and who asked', async () => {
    const host = shownOf({ listed: [DONE], found: DONE })
    await vi.waitFor(() => expect(part(host, 'lines')?.textContent).toContain('camera lost'))
    expect(part(host, 'answered')?.textContent).toContain('keeper')
    expect(part(host, 'answered')?.textContent).toContain(i18n.global.t('log.cut'))
  })

  it('shows a line whose time is none without it', async () => {
    const odd = command({ ...DONE, result: { lines: [{ at: 'never', level: 'info', text: 'a line' }], cut: false } })
    const host = shownOf({ listed: [odd], found: odd })
    await vi.waitFor(() => expect(part(host, 'lines')?.textContent).toContain('a line'))
    expect(part(host, 'lines')?.querySelector('time')).toBeNull()
  })

  it('asks, waits, and says why there is no answer', async () => {
    const refused = command({ state: 'refused', ended_at: '2026-03-01T12:00:01Z', reason: 'other_session' })
    const host = shownOf({ found: refused })
    await vi.waitFor(() => expect(host.textContent).toContain(i18n.global.t('log.hint')))
    part(host, 'ask')?.click()
    await vi.waitFor(() => expect(part(host, 'asking')).not.toBeNull())
    await vi.waitFor(() => expect(part(host, 'unanswered')?.textContent).toContain(i18n.global.t('answer.other_session')), { timeout: 5000 })
  })

  it('waits for the answer that somebody else has asked for', async () => {
    const host = shownOf({ posted: [409, { title: 'Conflict', detail: 'being asked already' }], listed: [command({ asked_by: 'chief' })], found: command({ asked_by: 'chief' }) })
    await vi.waitFor(() => expect(part(host, 'asking')?.textContent).toContain('chief'))
    expect(host.querySelector('[role="alert"]')).toBeNull()
  })

  it('asks no node that is away', async () => {
    const host = shownOf({ listed: [DONE], found: DONE }, 'lost')
    await vi.waitFor(() => expect(part(host, 'lines')).not.toBeNull())
    expect(part(host, 'away')).not.toBeNull()
    expect(part(host, 'ask')?.hasAttribute('disabled')).toBe(true)
  })

  it('says that lines are kept for a day', async () => {
    const host = shownOf({ listed: [DONE], found: { ...DONE, result: null } })
    await vi.waitFor(() => expect(host.textContent).toContain(i18n.global.t('log.forgotten')))
  })
})
