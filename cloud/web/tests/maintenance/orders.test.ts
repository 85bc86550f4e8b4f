import { describe, expect, it } from 'vitest'
import type { OrderStatus, WorkOrder } from '@/api/types'
import { isRunning, withOrder, type OrderFilter } from '@/maintenance/orders'

function order(id: number, part: Partial<WorkOrder> = {}): WorkOrder {
  return {
    id,
    number: `W-110105-20260317-000${id}`,
    status: 'opened',
    cause: 'camera_trouble',
    severity: 'medium',
    device: { id, node: 'station-01', device: `cam-${id}`, name: `Camera ${id}`, kind: 'camera' },
    spot: null,
    grid: null,
    community: null,
    street: null,
    assigned_to: null,
    assigned_name: null,
    opened_at: '2026-03-17T04:30:00Z',
    started_at: '2026-03-17T04:30:00Z',
    assigned_at: null,
    on_site_at: null,
    fixed_at: null,
    ended_at: null,
    last_fault_at: '2026-03-17T04:30:00Z',
    well_since: null,
    fault_count: 1,
    merged_into: null,
    simulated: false,
    version: 1,
    ...part,
  }
}

const RUNNING: OrderFilter = { area: null, status: 'running', mine: false }
const ids = (items: readonly WorkOrder[]): number[] => items.map((one) => one.id)

describe('the list of orders', () => {
  it('takes a new order in where it belongs', () => {
    expect(ids(withOrder([order(3), order(1)], order(2), RUNNING, 7))).toEqual([3, 2, 1])
  })

  it('believes the newer word only', () => {
    const items = [order(1, { version: 4, status: 'assigned' })]
    expect(withOrder(items, order(1, { version: 3 }), RUNNING, 7)).toEqual(items)
    expect(withOrder(items, order(1, { version: 5, status: 'fixed' }), RUNNING, 7)[0]?.status).toBe('fixed')
  })

  it('lets go of what is no longer looked for', () => {
    expect(withOrder([order(1)], order(1, { version: 2, status: 'verified' }), RUNNING, 7)).toEqual([])
    expect(withOrder([order(1, { assigned_to: 7 })], order(1, { version: 2, assigned_to: 8 }), { ...RUNNING, mine: true }, 7)).toEqual([])
    expect(ids(withOrder([], order(1, { assigned_to: 7 }), { ...RUNNING, mine: true }, 7))).toEqual([1])
  })

  it('leaves it to the service what lies in an area', () => {
    expect(withOrder([order(2)], order(1), { ...RUNNING, area: '110105001' }, 7).map((one) => one.id)).toEqual([2])
  })

  it('knows which orders nobody has ended', () => {
    const running = (['opened', 'assigned', 'on_site', 'fixed', 'verified', 'recovered', 'cancelled', 'merged'] as OrderStatus[]).filter((status) => isRunning({ status }))
    expect(running).toEqual(['opened', 'assigned', 'on_site', 'fixed'])
  })
})
