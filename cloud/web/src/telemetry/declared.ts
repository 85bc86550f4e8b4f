import { duration, type Locale } from '@/time/format'
import type { Declared } from './axis'

/** A limit that no meter comes to: it keeps nonsense out of the registry, and tells people nothing. */
const TECHNICAL = 1e9
/** Units that are counted in thousands of themselves. */
const SCALED: ReadonlySet<string> = new Set(['W', 'Wh', 'var', 'varh', 'VA', 'VAh', 'A', 'V', 'Hz'])
const PREFIXES = ['', 'k', 'M', 'G'] as const

/** What a point can measure, as far as that is known: a technical limit is none. */
export function known(declared: Declared): Declared {
  const limit = (value: number | null): number | null => (value === null || Math.abs(value) >= TECHNICAL ? null : value)
  return { minimum: limit(declared.minimum), maximum: limit(declared.maximum) }
}

function quantity(value: number, unit: string, locale: Locale): string {
  if (value === 0) return '0'
  if (unit === 's') return duration(value, locale)
  let [scaled, prefix] = [value, 0]
  while (SCALED.has(unit) && Math.abs(scaled) >= 1000 && prefix < PREFIXES.length - 1) [scaled, prefix] = [scaled / 1000, prefix + 1]
  return [String(Number(scaled.toPrecision(6))), `${PREFIXES[prefix] ?? ''}${unit}`].filter(Boolean).join(' ')
}

export interface DeclaredRange {
  /** The message: both ends, or which of them is open. */
  key: 'device.declared' | 'device.declaredFrom' | 'device.declaredTo'
  slots: { low: string; high: string }
}

/** The declared range for people, `0 – 2 MW`; null for a point that was declared without one, or with none that means anything. */
export function declaredRange(declared: Declared, unit: string | null, locale: Locale): DeclaredRange | null {
  if (declared.minimum === null || declared.maximum === null) return null
  const { minimum, maximum } = known(declared)
  const [low, high] = [minimum, maximum].map((value) => (value === null ? '' : quantity(value, unit ?? '', locale))) as [string, string]
  if (minimum !== null && maximum !== null) return { key: 'device.declared', slots: { low, high } }
  if (minimum === null && maximum === null) return null
  return { key: minimum === null ? 'device.declaredTo' : 'device.declaredFrom', slots: { low, high } }
}
