import type { Gap } from '@/api/types'
import { minuteOf, short } from '@/time/format'

/** A stretch of the chart for which readings are known to be missing (ms since 1970). */
export interface GapArea {
  from: number
  to: number
  count: number
  reasons: string[]
}

/** The declared gaps within a window, touching ones joined, in order of time. */
export function gapAreas(gaps: readonly Gap[], from: number, to: number): GapArea[] {
  const areas: GapArea[] = []
  const sorted = gaps
    .map((gap) => ({ from: Date.parse(gap.from_at), to: Date.parse(gap.to_at), count: gap.count, reason: gap.reason }))
    .filter((gap) => gap.to >= from && gap.from <= to)
    .toSorted((a, b) => a.from - b.from)
  for (const gap of sorted) {
    const [start, end] = [Math.max(from, gap.from), Math.min(to, gap.to)]
    const last = areas.at(-1)
    if (last !== undefined && start <= last.to) {
      last.to = Math.max(last.to, end)
      last.count += gap.count
      if (!last.reasons.includes(gap.reason)) last.reasons.push(gap.reason)
    } else {
      areas.push({ from: start, to: end, count: gap.count, reasons: [gap.reason] })
    }
  }
  return areas
}

/** `14:02–14:09`; on another day than `now` with the date. */
export function gapSpan(area: GapArea, now: number): string {
  const sameDay = short(area.from, now).length === 8
  return sameDay ? `${minuteOf(area.from)}–${minuteOf(area.to)}` : `${short(area.from, now)} – ${short(area.to, now)}`
}
