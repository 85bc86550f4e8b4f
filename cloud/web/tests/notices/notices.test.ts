import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { badge, notices } from '@/notices/notices'
import { bytesOf, isOn, turnOff, turnOn, type Platform } from '@/notices/push'

const KEY = 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4'

interface Asked {
  method: string
  path: string
  body: unknown
}

let asked: Asked[] = []
let answers: ((request: Asked) => unknown)[] = []

function thread(id: number, caseId: number | null): object {
  return { id, case_id: caseId, word: 'opened', unseen: 1, news: 1 }
}

beforeEach(() => {
  asked = []
  answers = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const text = await request.text()
    const one: Asked = { method: request.method, path: new URL(request.url).pathname, body: text === '' ? null : JSON.parse(text) }
    asked.push(one)
    const answer = answers.shift()
    return answer === undefined ? new Response('{}', { status: 503 }) : Response.json(await answer(one), { status: request.method === 'POST' && one.path.endsWith('web-push') ? 201 : 200 })
  })
  notices.clear()
})
afterEach(() => {
  vi.unstubAllGlobals()
})

describe('the list', () => {
  it('shows what the service tells, and why it can not', async () => {
    answers = [() => ({ items: [thread(7, 3)], unseen: 1, next: null })]
    await notices.load()
    expect(notices.state.unseen).toBe(1)
    await notices.load()
    expect(notices.state.problem).not.toBeNull()
    expect(notices.state.threads).toHaveLength(1)
  })

  it('marks as seen only up to what stood in it', async () => {
    answers = [() => ({ items: [thread(7, 3), thread(5, 2)], unseen: 2, next: null }), () => ({ items: [], unseen: 1, next: null })]
    await notices.load()
    await notices.see()
    expect(asked[1]).toEqual({ method: 'POST', path: '/api/v1/notices/seen', body: { upto: 7, case_id: null, alone: false } })
  })

  it('marks what is of no case by itself', async () => {
    answers = [() => ({ items: [thread(9, null), thread(5, 2)], unseen: 2, next: null }), () => ({ items: [], unseen: 1, next: null })]
    await notices.load()
    await notices.see(notices.state.threads[0])
    expect(asked[1]?.body).toEqual({ upto: 9, case_id: null, alone: true })
  })

  it('lets the newest answer win, in whatever order they come', async () => {
    let late: (page: unknown) => void = () => undefined
    answers = [() => new Promise((resolve) => { late = resolve }), () => ({ items: [], unseen: 0, next: null })]
    const first = notices.load()
    await vi.waitFor(() => { expect(asked).toHaveLength(1) })
    await notices.load()
    late({ items: [thread(1, 1)], unseen: 1, next: null })
    await first
    expect(notices.state.unseen).toBe(0)
  })

  it('counts no further than anybody reads', () => {
    expect([badge(1), badge(99), badge(100)]).toEqual(['1', '99', '99+'])
  })
})

function platform(permission: NotificationPermission, state: { subscribed: boolean; key?: Uint8Array }): Platform {
  const subscription = {
    unsubscribe: () => Promise.resolve(!(state.subscribed = false)),
    toJSON: () => ({ endpoint: 'https://push.example.org/x', keys: { p256dh: 'p', auth: 'a' } }),
  }
  const registration = {
    pushManager: {
      getSubscription: () => Promise.resolve(state.subscribed ? subscription : null),
      subscribe: (options: { applicationServerKey: Uint8Array }) => {
        Object.assign(state, { subscribed: true, key: options.applicationServerKey })
        return Promise.resolve(subscription)
      },
    },
  } as unknown as ServiceWorkerRegistration
  return { supported: true, permission: () => Promise.resolve(permission), registration: () => Promise.resolve(registration), existing: () => Promise.resolve(registration) }
}

describe('this browser', () => {
  it('subscribes with the key of the service and tells it where', async () => {
    const state: { subscribed: boolean; key?: Uint8Array } = { subscribed: false }
    answers = [() => ({ public_key: KEY }), () => ({})]
    expect(await turnOn('Browser', platform('granted', state))).toBe(true)
    expect(state.key).toEqual(bytesOf(KEY))
    expect(state.key).toHaveLength(65)
    expect(asked[1]?.body).toEqual({ label: 'Browser', endpoint: 'https://push.example.org/x', p256dh: 'p', auth: 'a' })
    expect(await isOn(platform('granted', state))).toBe(true)
  })

  it('asks nobody for anything when the person does not want it', async () => {
    expect(await turnOn('Browser', platform('denied', { subscribed: false }))).toBe(false)
    expect(asked).toEqual([])
  })

  it('is not subscribed when the service did not take it', async () => {
    const state = { subscribed: false }
    answers = [() => ({ public_key: KEY })]
    await expect(turnOn('Browser', platform('granted', state))).rejects.toBeDefined()
    expect(state.subscribed).toBe(false)
  })

  it('is told nothing more once it is turned off', async () => {
    const state = { subscribed: true }
    await turnOff(platform('granted', state))
    expect(state.subscribed).toBe(false)
  })
})

describe('the worker that shows notices', () => {
  const source = readFileSync('public/notice-worker.js', 'utf-8')
  const shown = (text: string): { title: string; options: { body: string; data: { place: string } } } =>
    runInNewContext(`${source}; shown(${JSON.stringify(text)})`, { self: { addEventListener: () => undefined } }) as ReturnType<typeof shown>

  it('shows number and severity, and leads to the case', () => {
    const told = shown(JSON.stringify({ title: '重要 · 新案件', number: '110105-20260317-0042', severity: 'high', case: 42, note: 'secret' }))
    expect(told.title).toBe('重要 · 新案件')
    expect(told.options.body).toBe('110105-20260317-0042')
    expect(told.options.data.place).toBe('/cases/42')
    expect(JSON.stringify(told)).not.toContain('secret')
  })

  it.each(['', 'x', 'null', '[]', '{"case":"//evil.example"}', '{"case":"1/../../x"}', '{"title":{}}'])('shows that there is something of %j', (text) => {
    expect(shown(text).options.data.place).toBe('/')
    expect(shown(text).title).toBe('网格 · Gridward')
  })
})
