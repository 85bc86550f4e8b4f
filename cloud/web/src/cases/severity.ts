import type { Severity } from '@/api/types'

/** From the worst to the least. */
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const satisfies readonly Severity[]

/** 0 for the least, so that severities compare by number; an unknown name ranks below all. */
export function rank(severity: Severity | string): number {
  const place = (SEVERITIES as readonly string[]).indexOf(severity)
  return place < 0 ? -1 : SEVERITIES.length - 1 - place
}

/** The worst of some, null of none. */
export function worst(severities: readonly Severity[]): Severity | null {
  let found: Severity | null = null
  for (const severity of severities) if (found === null || rank(severity) > rank(found)) found = severity
  return found
}
