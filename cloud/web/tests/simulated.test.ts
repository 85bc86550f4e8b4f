import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, type Component, createApp } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { useChoices } from '@/cases/choices'
import FigureStrip from '@/cases/FigureStrip.vue'
import FoldingFacts from '@/cases/FoldingFacts.vue'
import DrillReport from '@/drills/DrillReport.vue'
import RecordContents from '@/handover/RecordContents.vue'
import { i18n } from '@/locale'
import LabelsPage from '@/maintenance/LabelsPage.vue'
import MaintenanceFigures from '@/maintenance/MaintenanceFigures.vue'
import HeldDialog from '@/nodes/HeldDialog.vue'
import WaitingDevices from '@/nodes/WaitingDevices.vue'
import { router as pages } from '@/router'
import RolloutSteps from '@/rollouts/RolloutSteps.vue'
import VersionsPanel from '@/rollouts/VersionsPanel.vue'
import TrialPicture from '@/rules/TrialPicture.vue'
import TrialNote from '@/settings/TrialNote.vue'
import SpotReadings from '@/telemetry/SpotReadings.vue'
import ProposalList from '@/verdicts/ProposalList.vue'
import RuleAdvice from '@/verdicts/RuleAdvice.vue'
import VerdictsPage from '@/verdicts/VerdictsPage.vue'

const AT = '2026-03-17T04:30:00Z'
const SHARE = { part: 1, whole: 2, value: 0.5, low: 0.1, high: 0.9, few: true }

type Told = Record<string, unknown>

/** A place of the page before a service that tells of one thing (`shows` is seen of it), which is simulated or not. */
interface Place {
  component: Component
  shows: string
  props?: (simulated: boolean) => Told
  path?: string
  told: (simulated: boolean) => Record<string, Told>
}

function cell(simulated: boolean): Told {
  return { node: 'n', device: 'cam-1', device_id: 5, device_name: 'Gate', simulated, rule: 'r', kind: 'intrusion', zone: null, precision: SHARE, incidents: 2, reasons: {} }
}

function trial(): Told {
  return { since: AT, until: AT, seenS: 1, beginsAt: null, warnings: [], holes: [], zones: [['lane', '0,0 1,0 1,1']], lines: [], rules: [], incidents: [], leftOut: 0, picture: null, pictureAt: null }
}

function proposal(simulated: boolean): Told {
  return { id: 1, node: 'n', device: 'cam-1', device_id: 5, device_name: 'Gate', simulated, rule: 'r', kind: 'intrusion', becomes: null, zone: null, setting: 'dwell_s', measure: 'dwell_s', side: 'above', from_value: 1, to_value: 2, figures: { saved: 1, false_alarms: 1, lost: 0, true_alarms: 1 }, note: null, proposed_by: 'Chief', proposed_at: AT, state: 'open', answered_by: null, answered_at: null, answer: null, patch: '', triable: false, mine: false }
}

function drillReport(simulated: boolean): Told {
  return { drill: { purpose: 'spring' }, counts: { incidents: 1, cases: 1, simulated_cases: simulated ? 1 : 0, work_orders: 0, commands: 0, notices: 0, made_real: 0 }, going_on: [{ node: 'n', device: 'cam-1', kind: 'intrusion', case_number: 'C-1', order_number: null, simulated }], cases_more: 0, cases: [], stages: [], reactions: [] }
}

const PLACES: Record<string, Place> = {
  'devices that wait': {
    component: WaitingDevices,
    shows: 'cam-1',
    props: () => ({ node: 'n' }),
    told: (simulated) => ({ 'waiting-devices': { items: [{ device: 'cam-1', name: null, kind: 'camera', spot: null, profile: null, simulated, points: [], reason: 'new', first_seen_at: AT, last_seen_at: AT, ignored_at: null, ignored_by: null }] } }),
  },
  'devices that were put aside': {
    component: WaitingDevices,
    shows: 'cam-1',
    props: () => ({ node: 'n' }),
    told: (simulated) => ({ 'waiting-devices': { items: [{ device: 'cam-1', name: null, kind: 'camera', spot: null, profile: null, simulated, points: [], reason: 'new', first_seen_at: AT, last_seen_at: AT, ignored_at: AT, ignored_by: 'boss' }] } }),
  },
  'incidents that nobody signed': {
    component: HeldDialog,
    shows: 'cam-1',
    props: () => ({ node: 'n' }),
    told: (simulated) => ({ 'held-messages': { groups: [], incidents: [{ id: 1, reason: 'unproven', device: 'cam-1', received_at: AT, kind: 'intrusion', severity: 'high', started_at: AT, simulated }], unproven: 1 } }),
  },
  'labels to be printed': {
    component: LabelsPage,
    shows: 'Gate',
    path: '/labels?area=110105',
    told: (simulated) => ({ labels: { area: { name: 'Chaoyang', path: null, made_at: null }, devices: [{ name: 'Gate', path: '/c/a', made_at: AT, device_id: 5, kind: 'camera', simulated }], cut: false } }),
  },
  'readings at a spot': {
    component: SpotReadings,
    shows: 'other',
    props: () => ({ caseId: 1, incidentId: 'i', deviceId: 7, startedAt: AT, endedAt: null }),
    told: (simulated) => ({ surroundings: { spot: null, moment: AT, from_at: AT, to_at: AT, devices: [{ id: 8, device: 'pile-8', name: 'other', kind: 'charging_pile', simulated, points: [{ point: 'faults', unit: null, observed_at: AT, value: 'none', minimum: null, maximum: null, readings: 0 }] }] } }),
  },
  'online rates': {
    component: MaintenanceFigures,
    shows: '100',
    props: () => ({ area: null }),
    told: (simulated) => ({ figures: { running: {}, repaired: 0, repair_p50_s: null, repair_p90_s: null, online: [{ kind: 'camera', simulated, devices: 1, online_rate: 1 }], worst: [] } }),
  },
  'devices with many orders': {
    component: MaintenanceFigures,
    shows: 'Gate',
    props: () => ({ area: null }),
    told: (simulated) => ({ figures: { running: {}, repaired: 0, repair_p50_s: null, repair_p90_s: null, online: [], worst: [{ device_id: 5, node: 'n', device: 'cam-1', name: 'Gate', kind: 'camera', simulated, orders: 3, running: 1 }] } }),
  },
  'clocks that would move': {
    component: TrialNote,
    shows: 'C-1',
    props: (simulated) => ({ trial: { examined: 1, more: false, later: 1, sooner: 0, overdue: 0, relieved: 0, moved: [{ case_id: 1, number: 'C-1', simulated, stage: 'verifying', due_at: AT, would_be_due_at: AT }] } }),
    told: () => ({}),
  },
  'a drill that goes on': { component: DrillReport, shows: 'C-1', props: () => ({ id: 1 }), told: (simulated) => ({ report: drillReport(simulated) }) },
  'a trial of rules': { component: TrialPicture, shows: 'lane', props: (simulated) => ({ trial: trial(), simulated }), told: () => ({}) },
  'steps of a rollout': {
    component: RolloutSteps,
    shows: 'Pile 7',
    props: () => ({ id: 'r', stages: ['all'], moved: 0 }),
    told: (simulated) => ({ steps: { items: [{ node: 'n', device: 'pile-7', title: 'Pile 7', simulated, ring: 'broad', stage: 0, state: 'done', changed_at: AT, reason: null, detail: null, failure: null, previous_version: null, announced_at: null, running_version: null, presence: 'online', told_state: null }], next: null } }),
  },
  'versions on devices': {
    component: VersionsPanel,
    shows: 'pile-7',
    props: () => ({ moved: 0 }),
    told: (simulated) => ({ versions: { items: [] }, nodes: { items: [{ node: 'n', device: 'pile-7', title: 'Station', simulated, ring: 'broad', presence: 'online', software: null, artifact: 'firmware', name: 'pile', running_version: '1.0.0', announced_at: null, wanted_version: null, rollout_id: null, told_state: null, told_code: null, drifts: false }], next: null } }),
  },
  'sources of a case': {
    component: FoldingFacts,
    shows: 'Gate',
    props: (simulated) => ({ folding: { incidents: 2, sources: 1, flooded: false, repeats_until: null, repeats_up_to: null, linked: [], by_source: [{ node: 'n', device: 'cam-1', name: 'Gate', simulated, zone: null, rule: null, incidents: 2, by_severity: {}, last_at: AT }] } }),
    told: () => ({}),
  },
  proposals: { component: ProposalList, shows: 'Gate', told: (simulated) => ({ 'rule-proposals': { items: [proposal(simulated)], next: null } }) },
  advice: { component: RuleAdvice, shows: 'Gate', props: (simulated) => ({ cell: cell(simulated), days: 30 }), told: () => ({}) },
  verdicts: { component: VerdictsPage, shows: 'Gate', path: '/verdicts', told: (simulated) => ({ verdicts: { cells: [cell(simulated)], judged: 1, incidents: 2, cut: false } }) },
}

let app: App | undefined

async function shown(place: Place, simulated: boolean): Promise<HTMLElement> {
  const told = place.told(simulated)
  vi.stubGlobal('fetch', (request: Request) => {
    const last = new URL(request.url).pathname.split('/').pop() ?? ''
    return Promise.resolve(new Response(JSON.stringify(told[last] ?? {}), { status: last in told ? 200 : 404, headers: { 'content-type': 'application/json' } }))
  })
  const router = createRouter({ history: createMemoryHistory(), routes: pages.options.routes })
  await router.push(place.path ?? '/')
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(place.component, place.props?.(simulated) ?? {}).use(i18n).use(router)
  app.mount(host)
  return document.body
}

const marks = (body: HTMLElement): number => body.querySelectorAll('[data-testid="simulated"]').length

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('what is simulated', () => {
  it.each(Object.entries(PLACES))('is marked among %s, and nothing else is', async (_, place) => {
    const body = await shown(place, true)
    await vi.waitFor(() => expect(marks(body)).toBe(1))
    app?.unmount()
    document.body.replaceChildren()
    const real = await shown(place, false)
    await vi.waitFor(() => expect(real.textContent).toContain(place.shows))
    expect(marks(real)).toBe(0)
  })

  it('is counted beside what is open, where there is some', async () => {
    const figures = (simulated: boolean): Record<string, Told> => ({ figures: { open_cases: 5, open_simulated: simulated ? 2 : 0, by_severity: {}, reported: 1, today_opened: 0, devices_online: 0, devices_total: 3, devices_simulated: simulated ? 3 : 0, incidents_24h: 0 } })
    const place: Place = { component: FigureStrip, shows: '5', props: () => ({ filter: { area: null, severity: null, status: 'open' } }), told: figures }
    const body = await shown(place, true)
    await vi.waitFor(() => expect(body.querySelector('[data-testid="figure-simulated"]')?.textContent).toContain('2'))
    expect(body.querySelector('[data-testid="figure-open"]')?.textContent).toBe('5')
    expect(body.querySelector('[data-testid="devices-simulated"]')?.textContent).toContain('3')
    app?.unmount()
    document.body.replaceChildren()
    const real = await shown(place, false)
    await vi.waitFor(() => expect(real.querySelector('[data-testid="figure-open"]')?.textContent).toBe('5'))
    expect(real.querySelector('[data-testid="figure-simulated"]')).toBeNull()
    expect(real.querySelector('[data-testid="devices-simulated"]')).toBeNull()
  })

  it('is said of cases that one may be merged into', async () => {
    const one = (id: number, simulated: boolean): Told => ({ id, number: `C-${String(id)}`, title: 'smoke', simulated, distance_m: 3 })
    const told: Record<string, unknown> = { near: { items: [one(2, true), one(3, false)] }, cases: { items: [one(4, true), one(5, false)] } }
    vi.stubGlobal('fetch', (request: Request) => Promise.resolve(new Response(JSON.stringify(told[new URL(request.url).pathname.split('/').pop() ?? '']), { headers: { 'content-type': 'application/json' } })))
    const choices = useChoices(1)
    await choices.load(['target'], 'merge')
    const word = i18n.global.t('flag.simulated')
    expect(choices.targets.filter(({ after }) => after?.includes(word)).map(({ id }) => id)).toEqual([2, 4])
    expect(choices.targets.map(({ id }) => id)).toEqual([2, 3, 4, 5])
  })

  it('is said in a line of a hand-over record', async () => {
    const line = (simulated: boolean): Told => ({ contents: { pressing: { together: 1, items: [{ number: 'C-1', severity: 'high', simulated }] } } })
    const word = i18n.global.t('handover.field.simulated')
    const place = (simulated: boolean): Place => ({ component: RecordContents, shows: 'C-1', props: () => line(simulated), told: () => ({}) })
    expect((await shown(place(true), true)).textContent).toContain(word)
    app?.unmount()
    document.body.replaceChildren()
    const real = await shown(place(false), false)
    expect(real.textContent).toContain('C-1')
    expect(real.textContent).not.toContain(word)
  })
})
