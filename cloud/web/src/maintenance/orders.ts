import { onScopeDispose, shallowReactive, watch, type Ref } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { OrderAction, OrderDetail, OrderStatus, WorkOrder } from '@/api/types'
import { useLive } from '@/live/feed'
import { useSettled } from '@/time/settle'

const PAGE = 50
const RELOAD_GAP_MS = 2000

/** Which orders are looked at. */
export interface OrderFilter {
  area: string | null
  status: OrderStatus | 'running' | 'all'
  mine: boolean
}

const RUNNING: readonly OrderStatus[] = ['opened', 'assigned', 'on_site', 'fixed']

/** Whether nobody has ended an order. */
export function isRunning(order: Pick<WorkOrder, 'status'>): boolean {
  return RUNNING.includes(order.status)
}

/** A list after news of one order: it moves in, stays up to date, or leaves; an older word changes nothing. */
export function withOrder(items: readonly WorkOrder[], told: WorkOrder, filter: OrderFilter, me: number | undefined): WorkOrder[] {
  const known = items.find((one) => one.id === told.id)
  if (known !== undefined && known.version > told.version) return [...items]
  const wanted =
    (filter.status === 'all' || (filter.status === 'running' ? isRunning(told) : told.status === filter.status)) &&
    (!filter.mine || told.assigned_to === me)
  const others = items.filter((one) => one.id !== told.id)
  if (!wanted) return others
  if (known !== undefined) return items.map((one) => (one.id === told.id ? told : one))
  // Of an area that is chosen only the service knows what lies in it.
  return filter.area === null ? [told, ...others].sort((a, b) => b.id - a.id) : [...items]
}

export interface OrderList {
  items: readonly WorkOrder[]
  more: boolean
  loading: boolean
  problem: Problem | null
  load: () => Promise<void>
  loadMore: () => Promise<void>
}

/** Work orders, the newest first, kept current by the live stream. */
export function useOrders(filter: Ref<OrderFilter>, me: Ref<number | undefined>): OrderList {
  const list = shallowReactive<OrderList>({ items: [], more: false, loading: true, problem: null, load, loadMore })
  let latest = 0
  let next: string | null = null

  async function read(after: string | null): Promise<void> {
    latest += 1
    const mine = latest
    list.loading = true
    const { area, status, mine: own } = filter.value
    const query = {
      limit: PAGE,
      mine: own,
      running: status === 'running',
      ...(status === 'running' || status === 'all' ? {} : { status: [status] }),
      ...(area === null ? {} : { area }),
      ...(after === null ? {} : { after }),
    }
    try {
      const page = await take(api.GET('/api/v1/work-orders', { params: { query } }))
      if (mine !== latest) return
      list.items = after === null ? page.items : [...list.items, ...page.items]
      next = page.next
      list.more = next !== null
      list.problem = null
    } catch (thrown) {
      if (mine === latest) list.problem = asProblem(thrown)
    } finally {
      if (mine === latest) list.loading = false
    }
  }

  async function load(): Promise<void> {
    await read(null)
  }

  async function loadMore(): Promise<void> {
    if (next !== null) await read(next)
  }

  function takeIn(told: WorkOrder): void {
    list.items = withOrder(list.items, told, filter.value, me.value)
  }
  const soon = useSettled(() => void load(), RELOAD_GAP_MS)
  useLive('order.opened', (told) => {
    if (filter.value.area === null) takeIn(told)
    else soon()
  })
  useLive('order.updated', takeIn)
  useLive('resync', () => void load())
  watch(filter, () => void load(), { immediate: true })
  return list
}

export interface OrderStep {
  action: OrderAction
  assignee?: number | undefined
  note?: string | undefined
}

export interface OrderView {
  detail: OrderDetail | null
  problem: Problem | null
  loading: boolean
  sending: OrderAction | null
  /** Why the last action was not taken. */
  refusal: Problem | null
  /** Somebody else moved the order while one looked at it. */
  overtaken: boolean
  load: () => Promise<void>
  act: (step: OrderStep) => Promise<boolean>
}

/** One order as the page shows it; nothing is shown as done before the service has said so. */
export function useOrder(id: number): OrderView {
  let latest = 0
  let alive = true
  const view = shallowReactive<OrderView>({
    detail: null,
    problem: null,
    loading: true,
    sending: null,
    refusal: null,
    overtaken: false,
    load,
    act,
  })

  function show(detail: OrderDetail): void {
    if (alive && detail.version >= (view.detail?.version ?? 0)) view.detail = detail
  }

  async function load(): Promise<void> {
    latest += 1
    const mine = latest
    view.loading = true
    try {
      show(await take(api.GET('/api/v1/work-orders/{order_id}', { params: { path: { order_id: id } } })))
      view.problem = null
    } catch (thrown) {
      if (mine === latest) view.problem = asProblem(thrown)
    } finally {
      if (mine === latest) view.loading = false
    }
  }

  async function act(step: OrderStep): Promise<boolean> {
    const before = view.detail
    if (before === null || view.sending !== null) return false
    view.sending = step.action
    view.refusal = null
    view.overtaken = false
    try {
      const body = { ...step, version: before.version }
      show(await take(api.POST('/api/v1/work-orders/{order_id}/actions', { params: { path: { order_id: id } }, body })))
      return true
    } catch (thrown) {
      const refusal = asProblem(thrown)
      if (refusal.kind === 'conflict') {
        await load()
        view.overtaken = true
      } else {
        view.refusal = refusal
      }
      return false
    } finally {
      view.sending = null
    }
  }

  const soon = useSettled(() => void load(), RELOAD_GAP_MS)
  useLive('order.updated', (told) => {
    if (told.id !== id || view.sending !== null) return
    if (told.version > (view.detail?.version ?? 0)) void load()
    else soon()
  })
  useLive('resync', () => void load())
  onScopeDispose(() => { alive = false })
  void load()
  return view
}
