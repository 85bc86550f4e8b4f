import { timeIn } from '@/time/format'

/** The answer of a node to "what would these rules have told?", as far as it can be understood. */

export type Verdict = 'kept' | 'new' | 'gone'
export interface TriedRule {
  rule: string
  tried: boolean
  now: number
  then: number
  kept: number
  new: number
  gone: number
  perDay: number | null
  counts: [string, number][]
}
export interface TriedIncident {
  verdict: Verdict
  rule: string
  zone: string | null
  startedAt: string
  dwellS: number | null
  way: string | null
}
export interface Hole {
  beginsAt: string
  endsAt: string
  why: string
}
export interface Warning {
  code: string
  rule: string | null
  words: string
}
export interface Trial {
  since: string
  until: string
  seenS: number
  beginsAt: string | null
  warnings: Warning[]
  holes: Hole[]
  zones: [string, string][]
  lines: [string, string][]
  rules: TriedRule[]
  incidents: TriedIncident[]
  leftOut: number
  picture: string | null
  pictureAt: string | null
}

type Part = Record<string, unknown>

function part(value: unknown): Part {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Part) : {}
}

function parts(value: unknown): Part[] {
  return Array.isArray(value) ? value.map(part) : []
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function isCorner(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((one) => typeof one === 'number')
}

/** Outlines by name, as `x,y x,y …`. */
function outlines(value: unknown): [string, string][] {
  return Object.entries(part(value)).flatMap(([name, outline]) => {
    const corners = Array.isArray(outline) ? outline.filter(isCorner) : []
    return corners.length > 1 ? [[name, corners.map(([x, y]) => `${x},${y}`).join(' ')] as [string, string]] : []
  })
}

function incident(one: Part): TriedIncident[] {
  const [verdict, startedAt] = [text(one['verdict']), timeIn(one['started_at'])]
  if ((verdict !== 'kept' && verdict !== 'new' && verdict !== 'gone') || startedAt === null) return []
  const way = text(one['way'])
  return [
    {
      verdict,
      startedAt,
      rule: text(one['rule']) ?? '',
      zone: text(one['zone']) ?? text(one['point']),
      dwellS: typeof one['dwell_s'] === 'number' ? one['dwell_s'] : null,
      way: way !== null && /^[0-9., ]+$/.test(way) ? way : null,
    },
  ]
}

function hole(one: Part): Hole[] {
  const [beginsAt, endsAt] = [timeIn(one['begins_at']), timeIn(one['ends_at'])]
  return beginsAt === null || endsAt === null ? [] : [{ beginsAt, endsAt, why: text(one['why']) ?? '' }]
}

function rule(one: Part): TriedRule {
  const counts = Object.entries(part(one['counts'])).flatMap(([name, count]) => (typeof count === 'number' ? [[name, count] as [string, number]] : []))
  return {
    rule: text(one['rule']) ?? '',
    tried: one['tried'] === true,
    now: number(one['now']),
    then: number(one['then']),
    kept: number(one['kept']),
    new: number(one['new']),
    gone: number(one['gone']),
    perDay: typeof one['now_per_day'] === 'number' ? one['now_per_day'] : null,
    counts,
  }
}

/** The trial of a camera in an answer; null where there is none. What a node says is looked at before it is believed. */
export function trialOf(result: Record<string, unknown> | null | undefined, camera: string): Trial | null {
  const found = parts(result?.['cameras']).find((one) => one['camera'] === camera)
  const [since, until] = [timeIn(result?.['since']), timeIn(result?.['until'])]
  if (found === undefined || since === null || until === null) return null
  const background = part(found['background'])
  const picture = text(background['jpeg_base64'])
  return {
    since,
    until,
    seenS: number(found['seen_s']),
    beginsAt: timeIn(found['begins_at']),
    warnings: parts(found['warnings']).map((one) => ({ code: text(one['code']) ?? '', rule: text(one['rule']), words: text(one['words']) ?? '' })),
    holes: parts(found['holes']).flatMap(hole),
    zones: outlines(found['zones']),
    lines: outlines(found['lines']),
    rules: parts(found['rules']).map(rule),
    incidents: parts(found['incidents']).flatMap(incident),
    leftOut: number(found['incidents_left_out']),
    picture: picture !== null && /^[A-Za-z0-9+/=]+$/.test(picture) ? `data:image/jpeg;base64,${picture}` : null,
    pictureAt: timeIn(background['captured_at']),
  }
}

function rows(title: string, named: readonly [string, string][]): string[] {
  const shown = named.map(([name, points]) => `  ${name}: [${points.split(' ').map((one) => `[${one.replace(',', ', ')}]`).join(', ')}]`)
  return shown.length === 0 ? [] : [`${title}:`, ...shown]
}

/** Zones and lines in the words of the configuration. */
export function asYaml(trial: Pick<Trial, 'zones' | 'lines'>): string {
  return [...rows('zones', trial.zones), ...rows('lines', trial.lines), ''].join('\n')
}
