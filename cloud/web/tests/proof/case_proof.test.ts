import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, type App } from 'vue'
import type { Role } from '@/api/types'
import { i18n } from '@/locale'
import CaseHolds from '@/proof/CaseHolds.vue'
import CaseOriginals from '@/proof/CaseOriginals.vue'
import { session } from '@/session/session'

const AT = '2026-03-17T04:30:00Z'
const HOLD = { id: 3, case_id: 1, reason: 'court, file 3', until: null, set_by: 'chief', set_at: AT, level: 'district', area: 'Chaoyang', may_lift: true, lifted_by: null, lifted_at: null, lift_note: null, unkept: 0 }
const REQUEST = { id: 7, case_id: 1, case_number: 'G-1', sha256: 'a'.repeat(64), purpose: 'court', state: 'waiting', asked_by: 'lead', asked_at: AT, decided_by: null, decided_at: null, expires_at: AT, ready_at: null, gone_at: null, unserved_at: null, unserved_reason: null, unmarked: false, handed_at: null }
const FILE = { sha256: 'a'.repeat(64), size_bytes: 10, captured_at: AT, is_stored: true }
const PATHS = { holds: '/api/v1/cases/1/holds', originals: '/api/v1/cases/1/originals', unsealings: '/api/v1/unsealings' }

let app: App
let host: HTMLElement
let asked: string[]
let sent: Record<string, unknown>
let answers: Record<string, [number, unknown]>

const settle = (): Promise<void> => new Promise((resolve) => { setTimeout(resolve) })
const find = (id: string): HTMLElement | null => host.querySelector<HTMLElement>(`[data-testid="${id}"]`)
const all = (id: string): HTMLElement[] => [...host.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)]

async function press(id: string): Promise<void> {
  const button = find(id)
  if (button === null) throw new Error(`there is no ${id}`)
  button.click()
  await settle()
  await settle()
}

async function type(id: string, text: string): Promise<void> {
  const input = find(id) as HTMLInputElement
  input.value = text
  input.dispatchEvent(new Event('input'))
  await settle()
}

async function show(component: typeof CaseHolds | typeof CaseOriginals, role: Role, name = 'chief'): Promise<void> {
  answers['POST /api/v1/session'] = [200, { user: { id: 1, name, display_name: name, role, area: null }, must_change_password: false }]
  await session.signIn(name, 'secret')
  asked = []
  app = createApp(component, { caseId: 1, history: [] }).use(i18n)
  app.mount(host)
  await settle()
  await settle()
}

beforeEach(() => {
  asked = []
  sent = {}
  answers = {
    [`GET ${PATHS.holds}`]: [200, { items: [HOLD] }],
    [`GET ${PATHS.originals}`]: [200, { items: [FILE] }],
    [`GET ${PATHS.unsealings}`]: [200, { items: [REQUEST], next: null }],
  }
  vi.stubGlobal('fetch', async (request: Request) => {
    const what = `${request.method} ${new URL(request.url).pathname}`
    asked.push(what)
    if (request.method === 'POST') sent[what] = await request.clone().json().catch(() => null)
    const [status, body] = answers[what] ?? [404, { title: 'x', status: 404, detail: 'x', type: 'x' }]
    return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
  })
  host = document.body.appendChild(document.createElement('div'))
})

afterEach(() => {
  app.unmount()
  host.remove()
  session.end()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

describe('CaseHolds', () => {
  it('is folded, says how many hold, and from which level', async () => {
    await show(CaseHolds, 'duty_chief')
    expect((find('case-holds') as HTMLDetailsElement).open).toBe(false)
    expect(find('case-holds')?.dataset.inForce).toBe('1')
    expect(find('hold-level')?.textContent).toContain('Chaoyang')
  })

  it('holds a case with a reason, and not without', async () => {
    const put = `POST ${PATHS.holds}`
    answers[put] = [200, { items: [HOLD, { ...HOLD, id: 4 }] }]
    await show(CaseHolds, 'duty_chief')
    await press('hold-begin')
    await press('hold-send')
    expect(asked).not.toContain(put)
    await type('hold-reason', '  police, file 9 ')
    await press('hold-send')
    expect(sent[put]).toEqual({ reason: 'police, file 9', until: null })
    expect(all('hold')).toHaveLength(2)
    expect(find('hold-form')).toBeNull()
  })

  it('lifts with a word, and keeps the word where somebody was faster', async () => {
    const end = 'POST /api/v1/holds/3/end'
    answers[end] = [409, { type: 'about:blank', title: 'Conflict', status: 409, detail: 'the hold is lifted already' }]
    await show(CaseHolds, 'administrator')
    await press('hold-lift')
    await type('hold-note', 'the court is done')
    await press('hold-lift-send')
    expect(find('problem')?.textContent).toContain('lifted already')
    expect((find('hold-note') as HTMLInputElement).value).toBe('the court is done')
    answers[end] = [200, { items: [{ ...HOLD, may_lift: false, lifted_by: 'chief', lifted_at: AT, lift_note: 'the court is done' }] }]
    await press('hold-lift-send')
    expect(find('hold')?.dataset.standing).toBe('lifted')
    expect(find('problem')).toBeNull()
  })

  it('offers nobody to lift what was set from above', async () => {
    answers[`GET ${PATHS.holds}`] = [200, { items: [{ ...HOLD, may_lift: false }] }]
    await show(CaseHolds, 'duty_chief')
    expect(find('hold-lift')).toBeNull()
    expect(find('hold')?.textContent).toContain(i18n.global.t('proof.hold.fromAbove'))
  })

  it('is read by auditors, who hold nothing, and asked for by nobody else', async () => {
    await show(CaseHolds, 'auditor')
    expect(find('hold')).not.toBeNull()
    expect(find('hold-begin')).toBeNull()
    app.unmount()
    await show(CaseHolds, 'grid_lead')
    expect(asked).toEqual([])
    expect(find('case-holds')).toBeNull()
  })
})

describe('CaseOriginals', () => {
  it('lets a person ask once, with a purpose', async () => {
    const ask = `POST ${PATHS.originals}`
    answers[`GET ${PATHS.unsealings}`] = [200, { items: [], next: null }]
    answers[ask] = [201, REQUEST]
    await show(CaseOriginals, 'grid_lead', 'lead')
    expect((find('case-originals') as HTMLDetailsElement).open).toBe(false)
    await press('original-ask')
    await type('original-purpose', 'police, file 12')
    answers[`GET ${PATHS.unsealings}`] = [200, { items: [REQUEST], next: null }]
    await press('original-send')
    expect(sent[ask]).toEqual({ sha256: FILE.sha256, purpose: 'police, file 12', unmarked: false })
    expect(find('unsealing')?.dataset.state).toBe('waiting')
    expect(find('original-ask')).toBeNull()
    expect(find('unsealing-decide')).toBeNull()
  })

  it('lets a second person refuse with words, not without', async () => {
    const decision = 'POST /api/v1/unsealings/7/decision'
    answers[decision] = [200, { ...REQUEST, state: 'refused' }]
    await show(CaseOriginals, 'administrator', 'admin')
    expect(find('original-ask')).toBeNull()
    expect(find('originals-yours')).not.toBeNull()
    await press('unsealing-decide')
    await press('unsealing-refuse')
    expect(asked).not.toContain(decision)
    await type('unsealing-words', 'no file number')
    await press('unsealing-refuse')
    expect(sent[decision]).toEqual({ allowed: false, words: 'no file number' })
  })

  it('says who has to decide where the two are not two', async () => {
    answers['POST /api/v1/unsealings/7/decision'] = [403, { type: 'about:blank', title: 'Forbidden', status: 403, detail: 'a second person is needed' }]
    await show(CaseOriginals, 'duty_chief')
    await press('unsealing-decide')
    await press('unsealing-allow')
    expect(find('problem')?.textContent).toContain(i18n.global.t('proof.original.needsOther'))
  })

  it('hands it out after a warning, and only then', async () => {
    const handover = 'POST /api/v1/unsealings/7/handover'
    vi.spyOn(URL, 'createObjectURL').mockReturnValue('blob:x')
    vi.spyOn(URL, 'revokeObjectURL').mockReturnValue()
    const saved: string[] = []
    vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function (this: HTMLAnchorElement) { saved.push(this.download) })
    answers[`GET ${PATHS.unsealings}`] = [200, { items: [{ ...REQUEST, state: 'ready' }], next: null }]
    answers[handover] = [200, 'sealed']
    await show(CaseOriginals, 'grid_lead', 'lead')
    await press('unsealing-take')
    expect(asked).not.toContain(handover)
    await press('unsealing-take-now')
    expect(asked.filter((one) => one === handover)).toHaveLength(1)
    expect(saved).toEqual(['G-1-7.age'])
  })

  it('has words for every state, and an empty one', async () => {
    const states = ['waiting', 'allowed', 'fetching', 'ready', 'handed', 'refused', 'expired', 'gone', 'unserved']
    answers[`GET ${PATHS.unsealings}`] = [200, { items: states.map((state, id) => ({ ...REQUEST, id, state })), next: null }]
    await show(CaseOriginals, 'auditor', 'audit')
    expect(all('unsealing').map((one) => one.dataset.state)).toEqual(states)
    for (const state of states) expect(host.textContent).toContain(i18n.global.t(`proof.says.${state}`))
    expect(['original-ask', 'unsealing-decide', 'unsealing-take'].map(find)).toEqual([null, null, null])
    app.unmount()
    answers[`GET ${PATHS.unsealings}`] = [200, { items: [], next: null }]
    answers[`GET ${PATHS.originals}`] = [200, { items: [] }]
    await show(CaseOriginals, 'auditor', 'audit')
    expect(find('originals-none')).not.toBeNull()
  })

  it('tells why a file did not come, and what a hold could not keep', async () => {
    answers[`GET ${PATHS.unsealings}`] = [200, { items: [{ ...REQUEST, state: 'unserved', unserved_at: AT, unserved_reason: 'node_away' }], next: null }]
    await show(CaseOriginals, 'auditor', 'audit')
    expect(find('unsealing-unserved')?.textContent).toContain(i18n.global.t('proof.unserved.node_away'))
    app.unmount()
    answers[`GET ${PATHS.holds}`] = [200, { items: [{ ...HOLD, unkept: 2 }, { ...HOLD, id: 4, unkept: 0 }] }]
    await show(CaseHolds, 'duty_chief')
    expect(all('hold-unkept')).toHaveLength(1)
    expect(find('hold-unkept')?.textContent).toContain('2')
  })

  it('asks nothing for those who may not read it, and says so where the service is away', async () => {
    await show(CaseOriginals, 'grid_worker', 'worker')
    expect(asked).toEqual([])
    app.unmount()
    answers[`GET ${PATHS.originals}`] = [503, { type: 'about:blank', title: 'x', status: 503, detail: 'x' }]
    await show(CaseOriginals, 'duty_chief')
    expect(find('problem')?.dataset.kind).toBe('unavailable')
    expect(find('originals-none')).toBeNull()
  })
})
