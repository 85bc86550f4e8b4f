import type { HistoryEntry } from '@/api/types'

/** A step of the history as it is shown: `count` steps of the system of one kind, from `entry` to `lastAt`. */
export interface Step {
  entry: HistoryEntry
  count: number
  lastAt: string
}

/** What the system repeats while a condition lasts; each of a person's steps stands alone. */
const REPEATED: ReadonlySet<string> = new Set(['incident_added', 'continued'])

/** The history with runs of the same repeated step as one: a busy spot would bury what people did. */
export function fold(history: readonly HistoryEntry[]): Step[] {
  const steps: Step[] = []
  for (const entry of history) {
    const last = steps.at(-1)
    const repeats = entry.actor === null && REPEATED.has(entry.action) && last?.entry.action === entry.action && entry.note === null
    if (repeats) {
      last.count += 1
      last.lastAt = entry.at
    } else {
      steps.push({ entry, count: 1, lastAt: entry.at })
    }
  }
  return steps
}
