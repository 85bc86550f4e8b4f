import type { Area, CaseSummary, Severity, Status } from '@/api/types'

/** What the list shows; null: any. */
export interface CaseFilter {
  severity: Severity | null
  /** `open`: to be verified, or filed and not yet resolved. */
  status: Status | 'open' | null
  area: string | null
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

/** Whether a case that arrives live belongs into a list that the service filtered the same way. */
export function matches(
  summary: CaseSummary,
  filter: CaseFilter,
  parents: ReadonlyMap<string, string | null>,
): boolean {
  if (filter.severity !== null && summary.severity !== filter.severity) return false
  if (filter.status === 'open' ? !isOpen(summary.status) : filter.status !== null && summary.status !== filter.status) return false
  return filter.area === null || lies(summary, filter.area, parents)
}
