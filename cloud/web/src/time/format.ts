/** All times are shown as the district's people read them, wherever the browser stands. */
export const ZONE = 'Asia/Shanghai'

export type Locale = 'zh' | 'en'

const FIELDS = new Intl.DateTimeFormat('en-GB', {
  timeZone: ZONE,
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

type Field = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second'

function fields(at: number): Record<Field, string> {
  const parts = { year: '', month: '', day: '', hour: '', minute: '', second: '' }
  for (const { type, value } of FIELDS.formatToParts(at)) {
    if (type in parts) parts[type as Field] = value
  }
  return parts
}

/** Milliseconds since 1970 of an RFC 3339 time; NaN where it is none. */
export function instant(at: string): number {
  return Date.parse(at)
}

/** What a machine calls a time, where it is one; else null. */
export function timeIn(value: unknown): string | null {
  return typeof value === 'string' && !Number.isNaN(instant(value)) ? value : null
}

/** `14:02:11` */
export function clock(at: number): string {
  const { hour, minute, second } = fields(at)
  return `${hour}:${minute}:${second}`
}

/** `14:02` */
export function minuteOf(at: number): string {
  const { hour, minute } = fields(at)
  return `${hour}:${minute}`
}

/** `2026-11-21` */
export function date(at: number): string {
  const { year, month, day } = fields(at)
  return `${year}-${month}-${day}`
}

/** `2026-11-21 14:02:11` */
export function full(at: number): string {
  return `${date(at)} ${clock(at)}`
}

/** As short as is clear at `now`: today `14:02:11`, this year `11-20 14:02`, else `2025-11-20 14:02`. */
export function short(at: number, now: number): string {
  const today = date(now)
  const day = date(at)
  if (day === today) return clock(at)
  return `${day.slice(0, 4) === today.slice(0, 4) ? day.slice(5) : day} ${minuteOf(at)}`
}

const JUST_NOW_S = 5
const STEPS = [
  ['second', 1, 60],
  ['minute', 60, 60],
  ['hour', 3600, 24],
  ['day', 86_400, Infinity],
] as const

const RELATIVE: Record<Locale, Intl.RelativeTimeFormat> = {
  zh: new Intl.RelativeTimeFormat('zh-CN', { numeric: 'always' }),
  en: new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'short' }),
}
const JUST_NOW: Record<Locale, string> = { zh: '刚刚', en: 'just now' }

/** `3分钟前`; a time ahead of the browser's clock is "just now": the clocks differ, nothing comes from the future. */
export function relative(at: number, now: number, locale: Locale): string {
  const ago = Math.floor((now - at) / 1000)
  if (Number.isNaN(ago)) return ''
  if (ago < JUST_NOW_S) return JUST_NOW[locale]
  for (const [unit, seconds, limit] of STEPS) {
    if (ago / seconds < limit) return RELATIVE[locale].format(-Math.floor(ago / seconds), unit)
  }
  return ''
}

const UNITS: Record<Locale, { h: string; min: string; s: string }> = {
  zh: { h: '小时', min: '分', s: '秒' },
  en: { h: ' h', min: ' min', s: ' s' },
}

/** `16.4 s`, `3 min 20 s`, `2 h 5 min`: two units at most, tenths below a minute. */
export function duration(seconds: number, locale: Locale): string {
  const unit = UNITS[locale]
  const join = locale === 'zh' ? '' : ' '
  const tenths = Math.round(seconds * 10) / 10
  if (tenths < 60) return `${String(tenths)}${unit.s}`
  const whole = Math.round(seconds)
  if (whole < 3600) {
    const rest = whole % 60
    return `${String(Math.floor(whole / 60))}${unit.min}${rest > 0 ? `${join}${String(rest)}${unit.s}` : ''}`
  }
  const minutes = Math.round(whole / 60)
  const rest = minutes % 60
  return `${String(Math.floor(minutes / 60))}${unit.h}${rest > 0 ? `${join}${String(rest)}${unit.min}` : ''}`
}
