import type { CaseClock, CaseSummary, Incident } from '@/api/types'

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
    origin: 'machine',
    drill: false,
    title: null,
    department: null,
    worker: null,
    suspended_until: null,
    merged_into: null,
    urged_at: null,
    clock: null,
    version: 1,
    ...part,
  }
}

/** A clock that runs for two hours, due at so many minutes after midnight; amber half an hour before. */
export function someClock(id: number, dueMinutes: number, part: Partial<CaseClock> = {}): CaseClock {
  const at = (minutes: number): string => new Date(Date.UTC(2026, 4, 1, 0, minutes)).toISOString()
  return { id, stage: 'handling', state: 'running', started_at: at(dueMinutes - 120), amber_at: at(dueMinutes - 30), due_at: at(dueMinutes), stopped_at: null, ...part }
}

/** An incident that goes on. */
export function someIncident(part: Partial<Incident> = {}): Incident {
  return {
    incident_id: '0196898c-0000-7000-8000-000000000001',
    revision: 1,
    state: 'open',
    kind: 'intrusion',
    severity: 'high',
    started_at: '2026-05-01T00:00:00Z',
    updated_at: '2026-05-01T00:00:02Z',
    ended_at: null,
    confidence: null,
    dwell_s: null,
    direction: null,
    count: null,
    point: null,
    value: null,
    unit: null,
    zone: null,
    historical: false,
    simulated: false,
    track: [],
    model: null,
    rule: null,
    note: null,
    device: 'camera-hall',
    fault: null,
    raw_code: null,
    views: [],
    evidence: [],
    ...part,
  }
}
