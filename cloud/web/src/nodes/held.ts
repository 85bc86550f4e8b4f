import type { Refusals } from '@/api/types'

/** What waits of one node: how much in all, since when, and how much for which reason. */
export interface HeldNode {
  node: string
  messages: number
  since: string
  reasons: { reason: string; messages: number }[]
  /** Waits until a person vouches for it, not until something is registered or declared. */
  needsWord: boolean
}

const UNPROVEN: ReadonlySet<string> = new Set(['unsigned', 'bad_signature'])

/** What waits of known nodes, by node; those of which something needs a person's word come first. */
export function heldOf(known: ReadonlySet<string>, waiting: Refusals['waiting']): HeldNode[] {
  const found = new Map<string, HeldNode>()
  for (const { node, reason, messages, oldest_at } of waiting) {
    if (!known.has(node)) continue
    const one = found.get(node) ?? { node, messages: 0, since: oldest_at, reasons: [], needsWord: false }
    one.messages += messages
    if (Date.parse(oldest_at) < Date.parse(one.since)) one.since = oldest_at
    one.reasons.push({ reason, messages })
    one.needsWord ||= UNPROVEN.has(reason)
    found.set(node, one)
  }
  return [...found.values()].sort((left, right) => Number(right.needsWord) - Number(left.needsWord) || left.node.localeCompare(right.node))
}
