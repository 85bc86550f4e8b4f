import type { DutyGap, OnDuty, TeamMember } from '@/api/types'
import { instant } from '@/time/format'

export const DUTY_KINDS = ['duty_chief', 'dispatcher', 'intake_clerk', 'duty_officer', 'grid_lead', 'grid_worker', 'site_keeper'] as const
export const MEMBER_KINDS = ['lead', 'police', 'community_worker', 'urban_management', 'market_supervision', 'sanitation', 'dynamic'] as const

export interface Group<Kind, Item> {
  kind: Kind
  items: Item[]
}

function grouped<Kind extends string, Item extends { kind: Kind }>(kinds: readonly Kind[], items: readonly Item[]): Group<Kind, Item>[] {
  return kinds.map((kind) => ({ kind, items: items.filter((item) => item.kind === kind) })).filter((group) => group.items.length > 0)
}

/** Who is on duty by what he is on duty as, from the top down; nobody stands there twice for the same shift. */
export function onDutyGroups(above: readonly OnDuty[], here: readonly OnDuty[]): Group<OnDuty['kind'], OnDuty>[] {
  const seen = new Map([...above, ...here].map((one) => [one.shift_id, one]))
  return grouped(DUTY_KINDS, [...seen.values()])
}

/** A team in the order in which it is spoken of: 1+5+N. */
export function teamGroups(members: readonly TeamMember[]): Group<TeamMember['kind'], TeamMember>[] {
  return grouped(MEMBER_KINDS, members)
}

export interface Missing {
  kind: DutyGap['kind']
  from_at: string
  until: string
  areas: string[]
  /** How many areas have the same gap; `areas` names the first of them. */
  count: number
}

const NAMED = 5

/** Gaps of one kind and time in many areas are one line: a street without anybody is not a hundred lines. */
export function missing(gaps: readonly DutyGap[]): Missing[] {
  const lines = new Map<string, Missing>()
  for (const { kind, from_at, until, area_name } of gaps) {
    const key = `${kind} ${from_at} ${until}`
    const line = lines.get(key) ?? { kind, from_at, until, areas: [], count: 0 }
    line.count += 1
    if (line.areas.length < NAMED) line.areas.push(area_name)
    lines.set(key, line)
  }
  return [...lines.values()].sort((one, other) => instant(one.from_at) - instant(other.from_at) || other.count - one.count)
}
