import { known } from './declared'

/** A value axis: its ends and the distance of its ticks. */
export interface ValueAxis {
  min: number
  max: number
  interval: number
}

export interface Declared {
  minimum: number | null
  maximum: number | null
}

const TICKS = 5
/** A calm reading shall look calm: the axis never shows less than this part of what the point can measure. */
const LEAST_PART = 0.02

/** The smallest of 1, 2, 2.5, 5 × 10ⁿ that is not below `rough`. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough))
  return (([1, 2, 2.5, 5] as const).find((step) => step * power >= rough * 0.999_999) ?? 10) * power
}

/** The axis for readings from `low` to `high` of a point that was declared with a range, or without one. */
export function valueAxis(low: number, high: number, declared: Declared): ValueAxis {
  const { minimum, maximum } = known(declared)
  const range = minimum !== null && maximum !== null && maximum > minimum ? maximum - minimum : Math.max(Math.abs(low), Math.abs(high))
  const span = Math.max(high - low, range * LEAST_PART) || 1
  const middle = (low + high) / 2
  let [from, to] = [middle - span / 2, middle + span / 2]
  // Not below what the point can measure, unless it did: a power of −1 kW is nothing to show.
  if (minimum !== null && from < minimum && low >= minimum) [from, to] = [minimum, minimum + span]
  const interval = niceStep(span / TICKS)
  const round = (ticks: number): number => Number((ticks * interval).toPrecision(12))
  return { min: round(Math.floor(from / interval)), max: round(Math.ceil(to / interval)), interval }
}
