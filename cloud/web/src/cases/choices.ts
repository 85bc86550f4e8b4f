import { shallowReactive } from 'vue'
import { api, take } from '@/api/client'
import type { Role } from '@/api/types'
import { i18n } from '@/locale'

export interface Choice {
  id: number
  label: string
  after?: string | undefined
}

const VERIFIERS: Role[] = ['grid_worker', 'grid_lead']
const CHECKERS: Role[] = ['grid_worker', 'grid_lead', 'intake_clerk']

/** Who or what an order about a case may name, asked for when a form opens. */
export interface Choices {
  departments: Choice[]
  people: Choice[]
  targets: Choice[]
  failed: boolean
}

async function departments(caseId: number): Promise<Choice[]> {
  const { items } = await take(api.GET('/api/v1/departments', { params: { query: { case: caseId } } }))
  return items.map(({ id, name }) => ({ id, label: name }))
}

async function people(caseId: number, role: Role[]): Promise<Choice[]> {
  const { items } = await take(api.GET('/api/v1/people', { params: { query: { case: caseId, role } } }))
  return items.map(({ id, display_name, area }) => ({ id, label: display_name, after: area ?? undefined }))
}

/** The near ones first, then the newest that still take something. */
async function targets(caseId: number): Promise<Choice[]> {
  const [near, open] = await Promise.all([
    take(api.GET('/api/v1/cases/{case_id}/near', { params: { path: { case_id: caseId } } })),
    take(api.GET('/api/v1/cases', { params: { query: { open: true, limit: 50 } } })),
  ])
  const close = near.items.map(({ id, number, title, simulated, distance_m: away }) => ({
    id,
    label: number,
    after: [simulated ? i18n.global.t('flag.simulated') : null, title, away === null ? null : `${String(Math.round(away))} m`].filter((word) => word !== null).join(' · '),
  }))
  const known = new Set([caseId, ...close.map(({ id }) => id)])
  return [
    ...close,
    ...open.items.filter(({ id }) => !known.has(id)).map(({ id, number, title, simulated }) => ({
      id,
      label: number,
      after: [simulated ? i18n.global.t('flag.simulated') : null, title].filter((word) => word !== null && word !== undefined).join(' · ') || undefined,
    })),
  ]
}

export function useChoices(caseId: number): Choices & { load: (fields: readonly string[], action: string) => Promise<void> } {
  const choices = shallowReactive({ departments: [] as Choice[], people: [] as Choice[], targets: [] as Choice[], failed: false, load })

  async function load(fields: readonly string[], action: string): Promise<void> {
    choices.failed = false
    try {
      if (fields.includes('department')) choices.departments = await departments(caseId)
      if (fields.includes('person')) choices.people = await people(caseId, action === 'check' ? CHECKERS : VERIFIERS)
      if (fields.includes('target')) choices.targets = await targets(caseId)
    } catch {
      choices.failed = true
    }
  }
  return choices
}
