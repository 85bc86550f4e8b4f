/** The ranges that a person may choose, and how often a summed-up one is asked for again. */
export const RANGES = {
  m15: { span: 15 * 60_000, again: 60_000 },
  h1: { span: 3_600_000, again: 15_000 },
  h24: { span: 86_400_000, again: 60_000 },
  d7: { span: 7 * 86_400_000, again: 600_000 },
} as const

export type Range = keyof typeof RANGES

/** The range that an address names; null where it names none. */
export function rangeOf(value: unknown): Range | null {
  return typeof value === 'string' && Object.hasOwn(RANGES, value) ? (value as Range) : null
}
