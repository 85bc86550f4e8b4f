import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, nextTick, shallowReactive, type App } from 'vue'
import { Problem } from '@/api/problem'
import type { Action, CaseDetail } from '@/api/types'
import CaseVerdict from '@/cases/CaseVerdict.vue'
import type { CaseView, Decision } from '@/cases/detail'
import { i18n } from '@/locale'
import { someCase } from '../fakes/cases'

const TABLE = {
  reasons: ['animal', 'light'],
  transitions: [
    { action: 'confirm', from: 'reported', to: 'filed', roles: [], reason_required: false },
    { action: 'dismiss', from: 'reported', to: 'rejected', roles: [], reason_required: true },
  ],
}

let app: App
let host: HTMLElement
let view: CaseView
let sent: Decision[]

const detail = (actions: Action[]): CaseDetail => ({ ...someCase(1), incidents: [], history: [], actions })
const find = (id: string): HTMLElement | null => host.querySelector<HTMLElement>(`[data-testid="${id}"]`)
const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve) })

beforeEach(async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(TABLE), { headers: { 'content-type': 'application/json' } })))
  sent = []
  view = shallowReactive<CaseView>({
    detail: detail(['confirm', 'dismiss']),
    problem: null,
    loading: false,
    sending: null,
    refusal: null,
    rival: undefined,
    load: () => Promise.resolve(),
    decide: (decision) => {
      sent.push(decision)
      return Promise.resolve(true)
    },
  })
  host = document.body.appendChild(document.createElement('div'))
  app = createApp(CaseVerdict, { view }).use(i18n)
  app.mount(host)
  await settle()
})

afterEach(() => {
  app.unmount()
  host.remove()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

describe('CaseVerdict', () => {
  it('offers exactly what the service says that may be done', async () => {
    expect(find('action-confirm')).not.toBeNull()
    expect(find('action-close')).toBeNull()
    view.detail = detail(['reopen'])
    await nextTick()
    expect(find('action-confirm')).toBeNull()
    expect(find('action-reopen')).not.toBeNull()
  })

  it('sends a confirmation at once', async () => {
    find('action-confirm')?.click()
    await settle()
    expect(sent).toEqual([{ action: 'confirm', note: undefined }])
    expect(find('saved')).not.toBeNull()
  })

  it('sends a dismissal only with a reason', async () => {
    find('action-dismiss')?.click()
    await settle()
    expect(find('dismiss-send')?.hasAttribute('disabled')).toBe(true)
    find('reason-animal')?.querySelector('input')?.click()
    await settle()
    find('dismiss-send')?.click()
    await settle()
    expect(sent).toEqual([{ action: 'dismiss', reason: 'animal', note: undefined }])
  })

  it('stops asking when somebody else has moved the case', async () => {
    find('action-dismiss')?.click()
    await settle()
    view.detail = { ...detail(['resolve']), status: 'filed' }
    await nextTick()
    expect(find('reasons')).toBeNull()
    expect(find('action-resolve')).not.toBeNull()
  })

  it('says who was faster', async () => {
    const actor = { name: 'wang', display_name: '王网格' }
    view.rival = { at: '2026-05-01T00:00:00Z', actor, action: 'confirm', from_status: 'reported', to_status: 'filed', reason: null, note: null, severity: null }
    await nextTick()
    expect(find('conflict')?.textContent).toContain('王网格')
  })

  it('takes no click for a moment after somebody else moved the case', async () => {
    find('action-dismiss')?.click()
    await settle()
    vi.useFakeTimers()
    const actor = { name: 'wang', display_name: '王网格' }
    view.rival = { at: '2026-05-01T00:00:00Z', actor, action: 'confirm', from_status: 'reported', to_status: 'filed', reason: null, note: null, severity: null }
    view.detail = { ...detail(['reopen']), status: 'filed' }
    await nextTick()
    find('action-reopen')?.click()
    expect(sent).toEqual([])
    vi.advanceTimersByTime(2000)
    await nextTick()
    vi.useRealTimers()
    find('action-reopen')?.click()
    await settle()
    expect(sent).toEqual([{ action: 'reopen', note: undefined }])
  })

  it('names the way out of a refusal', async () => {
    view.refusal = new Problem('unavailable', 503, 'away', null, null)
    await nextTick()
    expect(find('problem')?.querySelector('button')).not.toBeNull()
  })
})
