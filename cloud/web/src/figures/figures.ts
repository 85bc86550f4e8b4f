import type { FigureView, SeriesDay } from '@/api/types'
import { duration, type Locale } from '@/time/format'

const DAY_MS = 86_400_000
/** The service answers for so many days at once. */
export const MOST_DAYS = 400

/** The one figure that is made of time and not of cases: its parts are seconds. */
export const ONLINE = 'device_online_rate'

export interface Days {
  from: string
  to: string
}

/** `2026-11-21`, so many days on; local days are plain dates here, without an hour that could shift them. */
export function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}

/** The last `count` local days up to `today`. */
export function lastDays(count: number, today: string): Days {
  return { from: dayAfter(today, 1 - count), to: today }
}

/** How many days a window has, both ends included; NaN for what is no date. */
export function length({ from, to }: Days): number {
  return Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / DAY_MS) + 1
}

export type WindowFault = 'none' | 'order' | 'long'

/** What is wrong with a window, before the service is asked. */
export function faultOf(days: Days): WindowFault | null {
  const count = length(days)
  if (Number.isNaN(count)) return 'none'
  if (count < 1) return 'order'
  return count > MOST_DAYS ? 'long' : null
}

/** `87.5 %`, in no more digits than a share of so many has. */
export function shareText(value: number, whole: number): string {
  return `${(value * 100).toFixed(whole >= 1000 ? 1 : 0)} %`
}

/** A figure's value; a share of few things is told as so many of so many, never as a percentage. */
export function valueText(figure: FigureView, locale: Locale): string {
  if (figure.value === null) return '–'
  if (figure.unit === 'seconds') return longDuration(figure.value, locale)
  if (figure.unit === 'share') return figure.is_few && figure.part !== null ? `${String(figure.part)}/${String(figure.whole)}` : shareText(figure.value, figure.whole)
  return String(figure.value)
}

const DAY_S = 86_400

/** Days and hours from two days on; below, as `duration` says. */
export function longDuration(seconds: number, locale: Locale): string {
  if (seconds < 2 * DAY_S) return duration(seconds, locale)
  const hours = Math.round(seconds / 3600)
  const [days, rest] = [Math.floor(hours / 24), hours % 24]
  return locale === 'zh' ? `${String(days)}天${rest > 0 ? `${String(rest)}小时` : ''}` : `${String(days)} d${rest > 0 ? ` ${String(rest)} h` : ''}`
}

export interface Change {
  text: string
  /** Whether that is for the better; null where neither way is. */
  good: boolean | null
}

/** What changed against as many days before; null where one of the two is not known, or a share of few things says nothing. */
export function changeOf(figure: FigureView, better: string | undefined, locale: Locale): Change | null {
  if (figure.value === null || figure.before === null || (figure.unit === 'share' && figure.is_few)) return null
  const by = figure.value - figure.before
  const amount = Math.abs(by)
  const size = { cases: String(amount), share: `${(amount * 100).toFixed(1)}`, seconds: longDuration(amount, locale) }[figure.unit]
  const flat = figure.unit === 'share' ? amount < 0.0005 : amount === 0
  if (flat) return { text: '±0', good: null }
  const good = better === 'more' ? by > 0 : better === 'less' ? by < 0 : null
  return { text: `${by > 0 ? '+' : '−'}${size}`, good }
}

export interface Bar {
  day: string
  count: number
  /** Of the height, 0 to 1 */
  share: number
}

/** Counts day by day, as bars of one scale. */
export function bars(days: readonly SeriesDay[], name: string, most: number): Bar[] {
  return days.map(({ day, figures }) => {
    const count = figures[name]?.value ?? 0
    return { day, count, share: most === 0 ? 0 : count / most }
  })
}

/** The highest of all days and figures, of which all bars are drawn. */
export function highest(days: readonly SeriesDay[], names: readonly string[]): number {
  return Math.max(0, ...days.flatMap(({ figures }) => names.map((name) => figures[name]?.value ?? 0)))
}
