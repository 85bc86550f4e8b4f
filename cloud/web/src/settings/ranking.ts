/** What an area is ranked by, in the order in which people are shown it; how many it closed, and how well. */
export const MEASURES = ['closed', 'on_time_verification', 'on_time_closure', 'rework_rate', 'return_rate', 'reopen_rate', 'missed_rate'] as const

/** Whether the service takes a weight; an emptied field is none. */
export function weightFits(weight: unknown): boolean {
  return typeof weight === 'number' && weight >= 0 && weight <= 1000
}

/** What part of the whole each weight is; null while nothing counts, or a field is empty. */
export function shares(weights: Readonly<Record<string, unknown>>): Record<string, number> | null {
  let whole = 0
  for (const measure of MEASURES) {
    const weight = weights[measure]
    if (typeof weight !== 'number' || !weightFits(weight)) return null
    whole += weight
  }
  if (whole === 0) return null
  return Object.fromEntries(MEASURES.map((measure) => [measure, Number(weights[measure]) / whole]))
}
