import type { Action, CaseModel, Status } from '@/api/types'
import type { Decision } from './detail'

/** What a form asks for, in the order in which it stands there. */
export const FIELDS = ['reason', 'department', 'person', 'target', 'until', 'rating', 'note'] as const
export type Field = (typeof FIELDS)[number]

/** Steps that name somebody, though the one who takes them may go himself. */
const NAMES: readonly Action[] = ['verify', 'check']

/** What a step has to be given; the table of the service says so. */
export function needsOf(model: CaseModel | null, action: Action, status: Status | undefined): readonly Field[] {
  const needs: readonly string[] = model?.transitions.find((row) => row.action === action && row.from === status)?.needs ?? []
  return FIELDS.filter((field) => needs.includes(field))
}

/** What the form of a step shows; empty: it is taken at once. The note has a place of its own below every step. */
export function fieldsOf(needs: readonly Field[], action: Action): Field[] {
  return FIELDS.filter((field) => needs.includes(field) || (field === 'person' && NAMES.includes(action)))
}

/** Whether everything has been said that has to be. */
export function isWhole(needs: readonly Field[], draft: Partial<Decision>): boolean {
  return needs.every((field) => draft[field] !== undefined && draft[field] !== null && draft[field] !== '')
}

/** A day from the calendar of a form as the moment at which it ends here. */
export function endOfDay(day: string): string | undefined {
  const at = new Date(`${day}T23:59:00`)
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}
