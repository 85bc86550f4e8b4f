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
    { action: 'confirm', from: 'reported', to: 'filed', roles: [], needs: [], reason_required: false },
    { action: 'dispatch', from: 'filed', to: 'dispatched', roles: [], needs: ['department'], reason_required: false },
    { action: 'ask_suspension', from: 'in_progress', to: 'in_progress', roles: [], needs: ['note', 'until'], reason_required: false },
    { action: 'rate', from: 'closed', to: 'closed', roles: [], needs: ['rating'], reason_required: false },
    { action: 'verify', from: 'reported', to: 'verifying', roles: [], needs: [], reason_required: false },
    { action: 'dismiss', from: 'reported', to: 'rejected', roles: [], needs: ['reason'], reason_required: true },
  ],
}

function answer(url: string): unknown {
  if (url.includes('/departments')) return { items: [{ id: 7, code: 'water', name: '水务', kind: 'department', area_code: null }] }
  if (url.includes('/people')) return { items: [{ id: 9, display_name: '王网格', role: 'grid_worker', area: null }], cut: false }
  return TABLE
}

function choose(id: string, value: string): void {
  const field = find(id) as HTMLInputElement | HTMLSelectElement
  field.value = value
  field.dispatchEvent(new Event('change'))
}

let app: App
let host: HTMLElement
let view: CaseView
let sent: Decision[]

const detail = (actions: Action[]): CaseDetail => ({ ...someCase(1), incidents: [], history: [], description: null, address: null, place: null, case_category: null, published_at: null, rating: null, pictures: [], petitions: [], actions })
const find = (id: string): HTMLElement | null => host.querySelector<HTMLElement>(`[data-testid="${id}"]`)
const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve) })

beforeEach(async () => {
  vi.stubGlobal('fetch', (request: Request) => Promise.resolve(new Response(JSON.stringify(answer(request.url)), { headers: { 'content-type': 'application/json' } })))
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
    view.rival = { at: '2026-05-01T00:00:00Z', actor, action: 'confirm', from_status: 'reported', to_status: 'filed', reason: null, note: null, severity: null, person: null, department: null, other_case: null, until: null, rating: null }
    await nextTick()
    expect(find('conflict')?.textContent).toContain('王网格')
  })

  it('takes no click for a moment after somebody else moved the case', async () => {
    find('action-dismiss')?.click()
    await settle()
    vi.useFakeTimers()
    const actor = { name: 'wang', display_name: '王网格' }
    view.rival = { at: '2026-05-01T00:00:00Z', actor, action: 'confirm', from_status: 'reported', to_status: 'filed', reason: null, note: null, severity: null, person: null, department: null, other_case: null, until: null, rating: null }
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

  it('dispatches to a department that works there', async () => {
    view.detail = { ...detail(['dispatch']), status: 'filed' }
    await nextTick()
    find('action-dispatch')?.click()
    await settle()
    expect(find('step-send')?.hasAttribute('disabled')).toBe(true)
    choose('step-department', '7')
    await settle()
    find('step-send')?.click()
    await settle()
    expect(sent).toEqual([{ action: 'dispatch', department: 7, note: undefined }])
  })

  it('asks for a date and a word before something rests', async () => {
    view.detail = { ...detail(['ask_suspension']), status: 'in_progress' }
    await nextTick()
    find('action-ask_suspension')?.click()
    await settle()
    choose('step-until', '2026-06-01')
    await settle()
    expect(find('step-send')?.hasAttribute('disabled')).toBe(true)
    const note = find('verdict-note') as HTMLInputElement
    note.value = 'rain'
    note.dispatchEvent(new Event('input'))
    await settle()
    find('step-send')?.click()
    await settle()
    expect(sent).toEqual([{ action: 'ask_suspension', note: 'rain', until: new Date('2026-06-01T23:59:00').toISOString() }])
  })

  it('rates with stars, and sends somebody or goes oneself', async () => {
    view.detail = { ...detail(['rate']), status: 'closed' }
    await nextTick()
    find('action-rate')?.click()
    await settle()
    find('stars-4')?.querySelector('input')?.click()
    await settle()
    find('step-send')?.click()
    await settle()
    view.detail = detail(['verify'])
    await nextTick()
    find('action-verify')?.click()
    await settle()
    expect(find('step-person')?.textContent).toContain('王网格')
    find('step-send')?.click()
    await settle()
    expect(sent).toEqual([{ action: 'rate', rating: 4, note: undefined }, { action: 'verify', note: undefined }])
  })

  it('shows what was asked for', async () => {
    const asked_by = { name: 'li', display_name: '李队长' }
    view.detail = { ...detail(['allow_return', 'refuse_return']), status: 'dispatched', petitions: [{ petition: 'return', asked_by, asked_at: '2026-05-01T00:00:00Z', until: null, note: '不属于本部门' }] }
    await nextTick()
    expect(find('petitions')?.textContent).toContain('不属于本部门')
    expect(find('action-allow_return')).not.toBeNull()
  })
})
