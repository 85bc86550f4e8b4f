import type { DeadlineRule, DeadlineUnit, SpecialDay } from '@/api/types'
import { date } from '@/time/format'

export const STAGES = ['verifying', 'dispatching', 'receipt', 'handling', 'checking', 'suspension', 'arrival', 'whole'] as const
export const UNITS: readonly DeadlineUnit[] = ['minutes', 'working_minutes', 'working_days']

/** The most that the service takes of each. */
const LONGEST: Record<DeadlineUnit, number> = { minutes: 366 * 24 * 60, working_minutes: 366 * 8 * 60, working_days: 366 }

export function mostOf(unit: DeadlineUnit): number {
  return LONGEST[unit]
}

/** Whether an amount can be set. */
export function amountFits(amount: number, unit: DeadlineUnit, least = 1): boolean {
  return Number.isInteger(amount) && amount >= least && amount <= LONGEST[unit]
}

export interface SortedRules {
  /** Those by which what begins now is measured. */
  present: DeadlineRule[]
  /** Those that begin later. */
  coming: DeadlineRule[]
  /** Those that a newer one has replaced; what began under them keeps them. */
  past: DeadlineRule[]
}

function subject(rule: DeadlineRule): string {
  return JSON.stringify([rule.stage, rule.area, rule.category, rule.severity])
}

function order(a: DeadlineRule, b: DeadlineRule): number {
  const stage = (rule: DeadlineRule): number => (STAGES as readonly string[]).indexOf(rule.stage)
  return stage(a) - stage(b) || (a.area ?? '').localeCompare(b.area ?? '') || (a.category ?? '').localeCompare(b.category ?? '') || rank(b.severity) - rank(a.severity)
}

function rank(severity: string | null): number {
  return severity === null ? -1 : ['low', 'medium', 'high', 'critical'].indexOf(severity)
}

/** The rules by whether they hold now: of those about the same the newest that has begun does. */
export function sorted(rules: readonly DeadlineRule[], now: number): SortedRules {
  const newest = new Map<string, DeadlineRule>()
  const begun = rules.filter((rule) => Date.parse(rule.effective_from) <= now)
  for (const rule of [...begun].sort((a, b) => Date.parse(a.effective_from) - Date.parse(b.effective_from) || a.id - b.id)) newest.set(subject(rule), rule)
  const present = [...newest.values()].sort(order)
  const kept = new Set(present.map((rule) => rule.id))
  return {
    present,
    coming: rules.filter((rule) => Date.parse(rule.effective_from) > now).sort((a, b) => Date.parse(a.effective_from) - Date.parse(b.effective_from)),
    past: begun.filter((rule) => !kept.has(rule.id)).sort((a, b) => Date.parse(b.effective_from) - Date.parse(a.effective_from)),
  }
}

const SPAN = /^(\d{2}):(\d{2})-(\d{2}):(\d{2})$/

/** What is wrong with the hours of a day like `08:30-12:00 14:00-17:30`; null for good ones and for a day off. */
export function hoursProblem(text: string): 'form' | 'order' | 'overlap' | null {
  const spans: [number, number][] = []
  for (const word of text.replaceAll(',', ' ').split(/\s+/).filter(Boolean)) {
    const found = SPAN.exec(word)?.slice(1).map(Number)
    if (found === undefined) return 'form'
    const [fromHour = 0, fromMinute = 0, toHour = 0, toMinute = 0] = found
    if (fromMinute > 59 || toMinute > 59) return 'form'
    const span: [number, number] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute]
    if (span[0] >= span[1] || span[1] > 24 * 60) return 'order'
    spans.push(span)
  }
  spans.sort((a, b) => a[0] - b[0])
  return spans.some((span, at) => at > 0 && span[0] < (spans[at - 1]?.[1] ?? 0)) ? 'overlap' : null
}

const SOON_MS = 120 * 24 * 3_600_000

/** The year whose holidays nobody has entered yet, once it is near or has begun; null while there is time. */
export function missingYear(knownUntil: string, days: readonly SpecialDay[], now: number): number | null {
  const years = days.filter((day) => day.area === null).map((day) => Number(day.day.slice(0, 4)))
  const missing = Math.max(Number(knownUntil.slice(0, 4)), ...years) + 1
  return Date.parse(`${String(missing)}-01-01T00:00:00+08:00`) - now < SOON_MS ? missing : null
}

/** A local time of the district (`2026-03-17T08:30`) as the service wants it; null where none was given. */
export function districtTime(local: string): string | null {
  return local === '' ? null : `${local}:00+08:00`
}

/** Special days from today on, the next first, and those that are over. */
export function splitDays(days: readonly SpecialDay[], now: number): { coming: SpecialDay[]; over: SpecialDay[] } {
  const today = date(now)
  return {
    coming: days.filter((one) => one.day >= today).sort((a, b) => a.day.localeCompare(b.day)),
    over: days.filter((one) => one.day < today).sort((a, b) => b.day.localeCompare(a.day)),
  }
}
