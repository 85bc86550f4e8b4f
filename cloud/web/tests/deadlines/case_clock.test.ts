import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createApp, nextTick, type App } from 'vue'
import type { CaseClocks, Clock } from '@/api/types'
import CaseClock from '@/deadlines/CaseClock.vue'
import { i18n } from '@/locale'

const HOUR = 3_600_000

let app: App
let host: HTMLElement
let answer: CaseClocks

const after = (hours: number): string => new Date(Date.now() + hours * HOUR).toISOString()
const clock = (over: Partial<Clock> = {}): Clock => ({
  id: 1,
  case_id: 1,
  stage: 'handling',
  state: 'running',
  light: 'green',
  started_at: after(-10),
  amber_at: after(5.5),
  due_at: after(7.5),
  stopped_at: null,
  extended: false,
  makeshift: false,
  remaining_s: 0,
  ...over,
})
const whole = (over: Partial<Clock> = {}): Clock => clock({ stage: 'whole', due_at: after(50.5), amber_at: after(40), ...over })
const find = (id: string): HTMLElement | null => host.querySelector<HTMLElement>(`[data-testid="${id}"]`)

async function show(given: Partial<CaseClocks>): Promise<void> {
  answer = { now: after(0), current: null, whole: null, clocks: [], firings: [], ...given }
  app = createApp(CaseClock, { caseId: 1, version: 1 })
  app.use(i18n).mount(host)
  await vi.waitFor(() => expect(find('case-clock')).not.toBeNull())
  await nextTick()
}

describe('the clocks of a case', () => {
  beforeEach(() => {
    host = document.createElement('div')
    document.body.append(host)
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(answer), { headers: { 'content-type': 'application/json' } })))
  })

  afterEach(() => {
    app.unmount()
    host.remove()
    i18n.global.locale.value = 'zh'
    vi.unstubAllGlobals()
  })

  it('tell until when the whole case has to be over, beside its stage', async () => {
    const current = clock()
    await show({ current, whole: whole(), clocks: [current] })
    expect(find('clock-now')?.textContent).toContain('处置')
    expect(find('clock-whole')?.textContent).toContain('办结时限')
    expect(find('clock-whole')?.textContent).toContain('剩余 2 天 2 小时')
    expect(find('clock-whole')?.dataset['light']).toBe('green')
    i18n.global.locale.value = 'en'
    await nextTick()
    expect(find('clock-whole')?.textContent).toContain('Deadline of the whole case')
  })

  it('say that the whole is late though its stage is in time', async () => {
    const current = clock()
    await show({ current, whole: whole({ amber_at: after(-9), due_at: after(-1.5) }), clocks: [current] })
    expect([find('clock-now')?.dataset['light'], find('clock-whole')?.dataset['light']]).toEqual(['green', 'red'])
    expect(find('clock-whole')?.textContent).toContain('超时 1 小时')
  })

  it('rest together', async () => {
    const current = clock({ stage: 'suspension' })
    await show({ current, whole: whole({ state: 'paused', light: 'amber', stopped_at: after(-1) }), clocks: [current] })
    expect(find('clock-whole')?.textContent).toContain('暂停计时')
    expect(find('clock-whole')?.dataset['light']).toBe('amber')
  })

  it('of a case that is over tell only whether it was so in time', async () => {
    await show({ whole: whole({ state: 'paused', light: 'red', stopped_at: after(-1) }) })
    expect(find('clock-now')).toBeNull()
    expect(find('clock-whole')?.textContent).toContain('已超时')
    expect(find('clock-whole')?.textContent).not.toContain('暂停计时')
  })

  it('of a case from before there was such a deadline show none', async () => {
    const current = clock()
    await show({ current, clocks: [current] })
    expect(find('clock-whole')).toBeNull()
  })
})
