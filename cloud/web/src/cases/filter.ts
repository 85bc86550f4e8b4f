import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { Area, CaseSummary, Light, Severity, Status } from '@/api/types'
import { lightOf } from '@/deadlines/clock'
import { SEVERITIES } from './severity'

/** What stands first: the newest, or what is due first; of the latter all, or those of one light. */
export const ORDERS = ['newest', 'due', 'red', 'amber', 'green'] as const
export type Order = (typeof ORDERS)[number]

/** What the list shows; null: any. */
export interface CaseFilter {
  severity: Severity | null
  /** `open`: to be verified, or filed and not yet resolved. */
  status: Status | 'open' | null
  area: string | null
  kind: string | null
  order: Order
}

/** What the list shows unless somebody chooses. */
export const ANY_OPEN: CaseFilter = { severity: null, status: 'open', area: null, kind: null, order: 'newest' }

export const STATUSES: readonly Status[] = ['reported', 'filed', 'resolved', 'rejected', 'closed']

const ANY = 'any'

function oneOf<T extends string>(value: unknown, known: readonly T[]): T | null {
  return known.find((one) => one === value) ?? null
}

/** The filter that an address names; what it does not name, or names wrongly, is as it comes. */
export function filterOf(query: LocationQuery): CaseFilter {
  const { severity, status, area, kind, order } = query
  return {
    severity: oneOf(severity, SEVERITIES),
    status: status === ANY ? null : (oneOf(status, STATUSES) ?? ANY_OPEN.status),
    area: typeof area === 'string' && area !== '' ? area : null,
    kind: typeof kind === 'string' && kind !== '' ? kind : null,
    order: oneOf(order, ORDERS) ?? ANY_OPEN.order,
  }
}

/** The filter as an address names it: only what differs from `ANY_OPEN`. */
export function queryOf({ severity, status, area, kind, order }: CaseFilter): LocationQueryRaw {
  return {
    ...(severity === null ? {} : { severity }),
    ...(status === ANY_OPEN.status ? {} : { status: status ?? ANY }),
    ...(area === null ? {} : { area }),
    ...(kind === null ? {} : { kind }),
    ...(order === ANY_OPEN.order ? {} : { order }),
  }
}

export function sameFilter(one: CaseFilter, other: CaseFilter): boolean {
  return (Object.keys(ANY_OPEN) as (keyof CaseFilter)[]).every((part) => one[part] === other[part])
}

/** The light that an order picks; null: any. */
export function lightIn(order: Order): Light | null {
  return order === 'newest' || order === 'due' ? null : order
}

/** As the service counts open cases: those that still take further incidents. */
const OPEN: ReadonlySet<string> = new Set<Status>(['reported', 'filed'])

export function isOpen(status: Status): boolean {
  return OPEN.has(status)
}

/** The area itself and all above it. A parent that is not in the list ends the way. */
export function lineage(code: string | null, parents: ReadonlyMap<string, string | null>): string[] {
  const line: string[] = []
  for (let at = code; at !== null && !line.includes(at); at = parents.get(at) ?? null) line.push(at)
  return line
}

export function parentsOf(areas: readonly Area[]): Map<string, string | null> {
  return new Map(areas.map((area) => [area.code, area.parent]))
}

function lies(summary: CaseSummary, area: string, parents: ReadonlyMap<string, string | null>): boolean {
  const own = [summary.grid, summary.community, summary.street].map((place) => place?.code ?? null)
  return own.some((code) => lineage(code, parents).includes(area))
}

/** By when they are due, only what a clock runs for is listed. */
function due(summary: CaseSummary, order: Order, now: number): boolean {
  if (order === 'newest') return true
  if (summary.clock?.state !== 'running') return false
  const light = lightIn(order)
  return light === null || lightOf(summary.clock, now) === light
}

/** Whether a case that arrives live belongs into a list that the service filtered the same way. */
export function matches(
  summary: CaseSummary,
  filter: CaseFilter,
  parents: ReadonlyMap<string, string | null>,
  now: number = Date.now(),
): boolean {
  if (filter.severity !== null && summary.severity !== filter.severity) return false
  if (filter.kind !== null && summary.kind !== filter.kind) return false
  if (!due(summary, filter.order, now)) return false
  if (filter.status === 'open' ? !isOpen(summary.status) : filter.status !== null && summary.status !== filter.status) return false
  return filter.area === null || lies(summary, filter.area, parents)
}
