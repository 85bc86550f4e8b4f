import type { CaseSummary } from '@/api/types'

/** A case; the larger its id, the later it was opened. */
export function someCase(id: number, part: Partial<CaseSummary> = {}): CaseSummary {
  const at = new Date(Date.UTC(2026, 4, 1, 0, id)).toISOString()
  return {
    id,
    number: `20260501-${String(id)}`,
    kind: 'intrusion',
    category: 'security',
    severity: 'high',
    status: 'reported',
    grid: { code: '110199001001001', name: 'one' },
    community: { code: '110199001001', name: 'community' },
    street: { code: '110199001', name: 'street' },
    device: { id: 1, node: 'station-01', device: 'camera-hall', name: 'hall', kind: 'camera' },
    spot: null,
    opened_at: at,
    started_at: at,
    last_activity_at: at,
    incident_count: 1,
    ongoing: false,
    late: false,
    simulated: false,
    picture: null,
    version: 1,
    ...part,
  }
}
