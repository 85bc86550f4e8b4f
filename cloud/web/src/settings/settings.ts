import { ROLES } from '@/access/roles'
import type { Role } from '@/api/types'

/** The parts of the settings, each an address below `/settings`. */
export const TABS = ['notices', 'deadlines', 'calendar', 'admission', 'ranking', 'cameras'] as const
export type Tab = (typeof TABS)[number]

/** Who may read a part; everybody where nothing is said. Who changes it is asked in the part itself. */
const READERS: Partial<Record<Tab, readonly Role[]>> = {
  admission: ['duty_chief', 'auditor', 'administrator'],
  ranking: ROLES.filter((role) => role !== 'department'),
  cameras: ['administrator'],
}

export function tabsFor(role: Role | null): Tab[] {
  return TABS.filter((tab) => READERS[tab] === undefined || (role !== null && READERS[tab].includes(role)))
}

/** The part that an address names, where this person may read it; else the first. */
export function tabOf(asked: unknown, role: Role | null): Tab {
  return tabsFor(role).find((tab) => tab === asked) ?? 'notices'
}

/** What stands in a select for "any": selects know no null. */
export function orNull<T extends string>(chosen: T | ''): T | null {
  return chosen === '' ? null : chosen
}

/** What an address as people paste it may be a channel of: a robot or mail, or a gateway that is called by https. */
export function channelKind(url: string): 'chat' | 'gateway' {
  return /^https:\/\//i.test(url.trim()) ? 'gateway' : 'chat'
}

/** How a channel does: never tried, works, or failed since it worked last. */
export function channelState(channel: { worked_at: string | null; failed_at: string | null }): 'untried' | 'works' | 'failed' {
  if (channel.failed_at !== null && (channel.worked_at === null || Date.parse(channel.failed_at) > Date.parse(channel.worked_at))) return 'failed'
  return channel.worked_at === null ? 'untried' : 'works'
}

/** Hours of quiet are two times or none. */
export function quietProblem(from: string, to: string): 'half' | 'same' | null {
  if ((from === '') !== (to === '')) return 'half'
  return from !== '' && from.slice(0, 5) === to.slice(0, 5) ? 'same' : null
}
