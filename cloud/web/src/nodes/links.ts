import type { Node } from '@/api/types'
import { isStale } from './health'

type Told = NonNullable<Node['health']>['cameras'][number]

export interface CameraLink extends Told {
  node: string
}

export interface Links {
  /** Cameras that were told of lately. */
  told: number
  /** Those of them whose connection was not steady within the last hour, the worst first. */
  unsteady: CameraLink[]
}

const trouble = (link: Told): number => link.reconnects_per_hour + link.stalls_per_hour

/** The connections of all cameras behind these nodes; what a silent node said is no news. A camera that is away comes before all others. */
export function linksOf(nodes: readonly Node[], now: number): Links {
  const told = nodes.flatMap((node) => (node.health === null || isStale(node.health.told_at, now) ? [] : node.health.cameras.map((link) => ({ ...link, node: node.node }))))
  const unsteady = told.filter((link) => link.presence === 'lost' || trouble(link) > 0)
  unsteady.sort((one, other) => Number(other.presence === 'lost') - Number(one.presence === 'lost') || trouble(other) - trouble(one) || one.name.localeCompare(other.name))
  return { told: told.length, unsteady }
}
