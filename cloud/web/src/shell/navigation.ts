import type { Role } from '@/api/types'

/** Where an entry stands: always in the bar, or in one of its menus. */
export const MENUS = ['duty', 'system'] as const
export type Menu = (typeof MENUS)[number]
export type Place = 'bar' | Menu

/** One page of the bar. */
export interface Entry {
  to: string
  /** The key of its name. */
  label: string
  place: Place
  /** The names of the routes during which the entry is marked as the present one. */
  under: readonly string[]
  /** Who sees it; everybody where nothing is said. */
  roles?: readonly Role[]
  /** Stays outside the menu on a phone. */
  phone?: true
}

const INSIDE: readonly Role[] = ['duty_chief', 'intake_clerk', 'dispatcher', 'grid_worker', 'grid_lead', 'maintainer', 'auditor', 'administrator']

/** All pages of the bar, in its order. A new page is a row here, its route and its word (`nav`) in both languages. */
export const ENTRIES: readonly Entry[] = [
  { to: '/', label: 'nav.command', place: 'bar', under: ['command', 'case'], phone: true },
  { to: '/devices', label: 'nav.devices', place: 'bar', under: ['devices', 'device'] },
  { to: '/wall', label: 'nav.wall', place: 'bar', under: ['wall'] },
  { to: '/maintenance', label: 'nav.maintenance', place: 'bar', under: ['maintenance', 'order', 'labels'] },
  { to: '/figures', label: 'nav.figures', place: 'bar', under: ['figures'], roles: INSIDE },
  { to: '/report', label: 'nav.report', place: 'duty', under: ['report'], roles: ['duty_chief', 'intake_clerk', 'dispatcher', 'grid_worker', 'grid_lead', 'administrator'], phone: true },
  { to: '/organisation', label: 'nav.organisation', place: 'duty', under: ['organisation'], roles: INSIDE },
  { to: '/drills', label: 'nav.drills', place: 'duty', under: ['drills'], roles: INSIDE },
  { to: '/handover', label: 'nav.handover', place: 'duty', under: ['handover'], roles: INSIDE },
  { to: '/verdicts', label: 'nav.verdicts', place: 'system', under: ['verdicts'], roles: ['duty_chief', 'maintainer', 'auditor', 'administrator'] },
  { to: '/nodes', label: 'nav.nodes', place: 'system', under: ['nodes'] },
  { to: '/rollouts', label: 'nav.rollouts', place: 'system', under: ['rollouts', 'rollout'], roles: ['maintainer', 'administrator'] },
  { to: '/settings', label: 'nav.settings', place: 'system', under: ['settings'] },
  { to: '/accounts', label: 'nav.accounts', place: 'system', under: ['accounts'], roles: ['administrator'] },
  { to: '/audit', label: 'nav.audit', place: 'system', under: ['audit'], roles: ['auditor', 'administrator'] },
]

/** A part of the bar: one entry, or a menu of several. */
export type Part = { kind: 'entry'; entry: Entry } | { kind: 'menu'; label: string; entries: readonly Entry[] }

export function isHere(entry: Entry, route: unknown): boolean {
  return typeof route === 'string' && entry.under.includes(route)
}

/** What the bar shows to somebody: on a phone all but the most needed in one menu; a menu of one is the entry itself. */
export function partsFor(role: Role | null, narrow: boolean, entries: readonly Entry[] = ENTRIES): Part[] {
  const seen = entries.filter((entry) => entry.roles === undefined || (role !== null && entry.roles.includes(role)))
  const inBar = seen.filter((entry) => (narrow ? entry.phone === true : entry.place === 'bar'))
  const bar = inBar.map((entry): Part => ({ kind: 'entry', entry }))
  const menus = narrow
    ? [menu('nav.more', seen.filter((entry) => !inBar.includes(entry)))]
    : MENUS.map((place) => menu(`nav.menu.${place}`, seen.filter((entry) => entry.place === place)))
  return [...bar, ...menus.filter((part) => part !== null)]
}

function menu(label: string, entries: readonly Entry[]): Part | null {
  const [only] = entries
  if (only === undefined) return null
  return entries.length === 1 ? { kind: 'entry', entry: only } : { kind: 'menu', label, entries }
}
