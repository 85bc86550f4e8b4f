import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, type Component, createApp } from 'vue'
import type { CommandKey, Refusals } from '@/api/types'
import { i18n } from '@/locale'
import CommandKeys from '@/nodes/CommandKeys.vue'
import { heldOf } from '@/nodes/held'
import HeldMessages from '@/nodes/HeldMessages.vue'
import { session } from '@/session/session'
import { node } from '../fakes/nodes'

const AT = '2026-03-01T12:00:00Z'
const OLDER = '2026-03-01T11:00:00Z'
const PATH = '/api/v1/nodes/station-01/held-messages'
const KEYS = '/api/v1/command-keys'

let app: App | undefined

type Answers = Record<string, [number, unknown][]>

/** A component before a service that has these answers, by method and path: in turn, the last one again and again. */
function shown(component: Component, props: Record<string, unknown>, answers: Answers): { host: HTMLElement; asked: string[] } {
  const asked: string[] = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const what = `${request.method} ${new URL(request.url).pathname}`
    asked.push(request.method === 'GET' || request.method === 'DELETE' ? what : `${what} ${await request.text()}`)
    const told = answers[what] ?? [[404, { title: 'Not Found' }]]
    const [status, body] = told.length > 1 ? (told.shift() ?? [500, null]) : (told[0] ?? [500, null])
    return new Response(status === 204 ? null : JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
  })
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(component, props).use(i18n)
  app.mount(host)
  return { host, asked }
}

const find = (name: string): HTMLElement | null => document.querySelector(`[data-testid="${name}"]`)

async function present(name: string): Promise<HTMLElement> {
  return vi.waitFor(() => {
    const found = find(name)
    expect(found).not.toBeNull()
    return found as HTMLElement
  })
}

function waiting(name: string, reason: string, messages: number, oldest_at = AT): Refusals['waiting'][number] {
  return { node: name, reason, messages, size_bytes: 10, oldest_at }
}

function group(reason: string, messages: number): Record<string, unknown> {
  return { kind: 'incident', reason, messages, size_bytes: 10, since: AT, latest_at: AT, needs_word: reason !== 'unknown_device' }
}

function key(letter: string, part: Partial<CommandKey> = {}): CommandKey {
  return { fingerprint: letter.repeat(64), first_used_at: AT, retired_at: null, in_use: false, ...part }
}

const INCIDENT = { id: 7, reason: 'unsigned', device: 'cam-1', received_at: AT, kind: 'intrusion', severity: 'high', started_at: AT }
const NOTHING = { node: 'station-01', groups: [], incidents: [] }

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('messages that wait of known nodes', () => {
  it('are one row a node, those first of which something needs a word', () => {
    const told = [waiting('a', 'unknown_device', 3), waiting('b', 'unsigned', 2), waiting('b', 'unknown_device', 1, OLDER), waiting('stranger', 'unknown_node', 9)]
    const found = heldOf(new Set(['a', 'b']), told)
    expect(found.map((one) => [one.node, one.messages, one.since, one.needsWord])).toEqual([
      ['b', 3, OLDER, true],
      ['a', 3, AT, false],
    ])
  })

  it('say so where there are none', () => {
    const { host } = shown(HeldMessages, { nodes: [node(null)], refusals: { refused: [], kept: [], waiting: [waiting('stranger', 'unknown_node', 1)] } }, {})
    expect(find('held-none')).not.toBeNull()
    expect(host.querySelector('[data-testid="held-node"]')).toBeNull()
  })

  it('are taken in by whoever says that he is sure, as far as he has seen them', async () => {
    const seen = { node: 'station-01', groups: [group('unsigned', 60), group('unknown_device', 2)], incidents: [INCIDENT] }
    const { asked } = shown(HeldMessages, { nodes: [node(null)], refusals: { refused: [], kept: [], waiting: [waiting('station-01', 'unsigned', 60)] } }, { [`GET ${PATH}`]: [[200, seen], [200, NOTHING]], [`POST ${PATH}/vouch`]: [[200, { messages: 60 }]] })
    ;(await present('held-look')).click()
    const send = (await present('held-vouch')) as HTMLButtonElement
    expect(find('held-incident')?.textContent).toContain('cam-1')
    expect(find('held-dialog')?.textContent).toContain(i18n.global.t('held.more', { count: 59 }))
    expect(send.disabled).toBe(true)
    send.click()
    find('held-sure')?.querySelector<HTMLInputElement>('input')?.click()
    await vi.waitFor(() => expect(send.disabled).toBe(false))
    expect(asked).toEqual([`GET ${PATH}`])
    send.click()
    await present('held-taken')
    await present('held-empty')
    expect(asked).toContain(`POST ${PATH}/vouch {"upto":7}`)
    expect(find('held-vouch')).toBeNull()
  })

  it('that somebody else has taken in meanwhile are told of in words', async () => {
    const seen = { node: 'station-01', groups: [group('unsigned', 1)], incidents: [INCIDENT] }
    shown(HeldMessages, { nodes: [node(null)], refusals: { refused: [], kept: [], waiting: [waiting('station-01', 'unsigned', 1)] } }, { [`GET ${PATH}`]: [[200, seen], [200, NOTHING]], [`POST ${PATH}/vouch`]: [[409, { title: 'Conflict', detail: 'nothing waits' }]] })
    ;(await present('held-look')).click()
    const send = (await present('held-vouch')) as HTMLButtonElement
    find('held-sure')?.querySelector<HTMLInputElement>('input')?.click()
    await vi.waitFor(() => expect(send.disabled).toBe(false))
    send.click()
    await vi.waitFor(() => expect(find('held-dialog')?.querySelector('[role="alert"]')?.textContent).toContain('nothing waits'))
    await present('held-empty')
  })
})

describe('the keys that sign orders', () => {
  async function signIn(area: unknown): Promise<void> {
    vi.stubGlobal('fetch', async () => new Response(JSON.stringify({ user: { id: 1, name: 'a', display_name: 'A', role: 'maintainer', area }, must_change_password: false }), { status: 200, headers: { 'content-type': 'application/json' } }))
    await session.signIn('a', 'a')
  }

  function opened(answers: Answers): string[] {
    const { host, asked } = shown(CommandKeys, {}, answers)
    expect(asked).toEqual([])
    host.querySelector('details')?.setAttribute('open', '')
    return asked
  }

  it('one is retired after a warning that the service signs with it', async () => {
    await signIn(null)
    const asked = opened({ [`GET ${KEYS}`]: [[200, { items: [key('b', { in_use: true }), key('a')] }], [200, { items: [key('b', { in_use: true, retired_at: AT }), key('a')] }]], [`DELETE ${KEYS}/${'b'.repeat(64)}`]: [[204, null]] })
    ;(await present('command-key-retire')).click()
    await present('command-key-in-use')
    expect(asked).toEqual([`GET ${KEYS}`])
    find('command-key-send')?.click()
    await present('command-keys-last')
    expect(asked).toContain(`DELETE ${KEYS}/${'b'.repeat(64)}`)
    expect((find('command-key-retire') as HTMLButtonElement).disabled).toBe(true)
  })

  it('the service says why it refuses', async () => {
    await signIn(null)
    opened({ [`GET ${KEYS}`]: [[200, { items: [key('b'), key('a')] }]], [`DELETE ${KEYS}/${'b'.repeat(64)}`]: [[409, { title: 'Conflict', detail: 'the last key' }]] })
    ;(await present('command-key-retire')).click()
    ;(await present('command-key-send')).click()
    await vi.waitFor(() => expect(find('command-key-dialog')?.textContent).toContain('the last key'))
    expect(find('command-key-in-use')).toBeNull()
  })

  it('are only looked at by whose area is a part', async () => {
    await signIn({ code: '110105', name: '朝阳区', level: 'district', path: '110105/' })
    opened({ [`GET ${KEYS}`]: [[200, { items: [key('b'), key('a')] }]] })
    await present('command-keys-denied')
    expect(find('command-key-retire')).toBeNull()
  })

  it('are none before the first start with a broker', async () => {
    await signIn(null)
    opened({ [`GET ${KEYS}`]: [[200, { items: [] }]] })
    await present('empty')
  })
})
