import type { Node, NodeHealth } from '@/api/types'

export const NOW = Date.UTC(2026, 2, 1, 8, 0)
export const ago = (minutes: number): string => new Date(NOW - minutes * 60_000).toISOString()

type Changes = Omit<Partial<NodeHealth>, 'backlog' | 'evidence'> & { backlog?: Partial<NodeHealth['backlog']>; evidence?: Partial<NodeHealth['evidence']> }

/** A node that told just now that nothing waits and nothing was ever lost. */
export function health({ backlog, evidence, ...changes }: Changes = {}): NodeHealth {
  return {
    told_at: ago(0),
    backlog: { level: 'normal', share: 0.01, used_bytes: 1, quota_bytes: 100, readings: 0, incidents: 0, messages: 0, unsaved: 0, oldest_at: null, ...backlog },
    evidence: { level: 'normal', files: 0, bytes: 0, quota_bytes: 100, refused: 0, left_out: 0, oldest_at: null, ...evidence },
    link: { connected_since: ago(60), connections: 1, sent: 10, resent: 0, acknowledged: 10 },
    dropped_total: 0,
    dropped: [],
    lost_readings: 0,
    lost_incidents: 0,
    lost_at: null,
    rejected_incidents: 0,
    dead_letters: [],
    cameras: [],
    knocks: [],
    ...changes,
  }
}

export function node(told: NodeHealth | null, changes: Partial<Node> = {}): Node {
  return {
    node: 'station-01',
    name: '东门驿站',
    district: '110105',
    state: 'accepted',
    presence: 'online',
    presence_since: ago(60),
    session: null,
    software: '0.1.0',
    last_seen_at: ago(0),
    skew_s: null,
    models: [],
    degraded: [],
    devices: 2,
    waiting_devices: 0,
    device_id: 1,
    health: told,
    ...changes,
  }
}
