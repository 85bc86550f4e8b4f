import type { Series } from '@/api/types'
import { type GapArea } from './gap'

/** Points of a line as a chart takes them; null breaks the line. */
export type Line = [number, number | null][]

export interface Curve {
  mean: Line
  /** Lower edge of the band and its height above it; empty when each point stands for one reading. */
  lower: Line
  spread: Line
}

/** A hole longer than this many of the usual distances is shown as one. */
const HOLE = 4

/** The usual distance between neighbouring readings: the median; 0 of less than two. */
export function usualDistance(times: readonly number[]): number {
  const distances = times.slice(1).map((time, index) => time - (times[index] ?? time)).toSorted((a, b) => a - b)
  return distances[Math.floor(distances.length / 2)] ?? 0
}

/** The lines of a series, broken at declared gaps and where readings are missing without a word. */
export function curveOf(series: Series, gaps: readonly GapArea[]): Curve {
  const times = series.observed_at.map((at) => Date.parse(at))
  const hole = usualDistance(times) * HOLE
  const banded = series.step !== 'raw'
  const curve: Curve = { mean: [], lower: [], spread: [] }
  times.forEach((time, index) => {
    const before = times[index - 1]
    if (before !== undefined && isBroken(before, time, hole, gaps)) {
      curve.mean.push([before + 1, null])
      if (banded) {
        curve.lower.push([before + 1, null])
        curve.spread.push([before + 1, null])
      }
    }
    curve.mean.push([time, series.mean[index] ?? null])
    const [low, high] = [series.minimum[index], series.maximum[index]]
    if (banded && low !== undefined && high !== undefined) {
      curve.lower.push([time, low])
      curve.spread.push([time, high - low])
    }
  })
  return curve
}

function isBroken(before: number, after: number, hole: number, gaps: readonly GapArea[]): boolean {
  return (hole > 0 && after - before > hole) || gaps.some((gap) => gap.from < after && gap.to > before)
}

/** The series with one reading more, readings before `from` left out; unchanged when the reading is not newer than all. */
export function extended(series: Series, observedAt: string, value: number, from: number): Series {
  const last = series.observed_at.at(-1)
  if (series.step !== 'raw' || (last !== undefined && Date.parse(observedAt) <= Date.parse(last))) return series
  const keep = series.observed_at.findIndex((at) => Date.parse(at) >= from)
  const start = keep < 0 ? series.observed_at.length : keep
  return {
    ...series,
    observed_at: [...series.observed_at.slice(start), observedAt],
    mean: [...series.mean.slice(start), value],
    minimum: [...series.minimum.slice(start), value],
    maximum: [...series.maximum.slice(start), value],
  }
}
