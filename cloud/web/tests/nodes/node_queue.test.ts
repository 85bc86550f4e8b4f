import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp, type Component } from 'vue'
import type { NodeHealth, Refusals } from '@/api/types'
import { i18n } from '@/locale'
import IntakeSummary from '@/nodes/IntakeSummary.vue'
import NodeQueue from '@/nodes/NodeQueue.vue'
import QueueMeter from '@/nodes/QueueMeter.vue'
import { ago, health, node, NOW } from '../fakes/nodes'

let app: App | undefined

function shown(component: Component, props: Record<string, unknown>): HTMLElement {
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(component, props).use(i18n)
  app.mount(host)
  return host
}
const queue = (told: NodeHealth | null): HTMLElement => shown(NodeQueue, { health: told })

beforeEach(() => vi.useFakeTimers({ now: NOW }))
afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.useRealTimers()
})

describe('NodeQueue', () => {
  it('says that nothing waits and nothing was lost', () => {
    const host = queue(health())
    expect(host.querySelector('[data-testid="queue-clear"]')).not.toBeNull()
    expect(host.querySelector('[data-testid="lost-nothing"]')).not.toBeNull()
    expect(host.querySelector('[data-testid="queue-stale"]')).toBeNull()
  })

  it('says what waits, since when, what was dropped and why', () => {
    const host = queue(
      health({
        backlog: { level: 'warning', share: 0.62, readings: 1_000_000, incidents: 2, oldest_at: ago(180) },
        dropped_total: 12,
        dropped: [{ device: 'pile-1', reason: 'quota', count: 12, from_at: ago(300), to_at: ago(240) }],
        dead_letters: [{ subject: 'incident', reason: 'data', count: 1, first_at: ago(9), last_at: ago(9) }],
        rejected_incidents: 1,
      }),
    )
    expect(host.querySelector('[data-testid="queue-waiting"]')?.textContent).toBe('1,000,000 条读数 · 2 件事件')
    expect(host.querySelector('[data-testid="queue-oldest"]')?.textContent).toContain('3小时前')
    expect(host.querySelector('[data-testid="dropped"]')?.textContent).toMatch(/pile-1.*缓存已满.*12/)
    expect(host.querySelector('[data-testid="dead-letters"]')?.textContent).toMatch(/事件.*数据无法入库/)
  })

  it('says how old its word is when the node fell silent', () => {
    const host = queue(health({ told_at: ago(180) }))
    expect(host.querySelector('[data-testid="queue-stale"]')?.textContent).toContain('3小时前')
  })

  it('says that a node never told', () => {
    expect(queue(null).textContent).toContain('尚未上报')
  })
})

describe('QueueMeter', () => {
  it('tells its level by word and figure, not by colour alone', () => {
    const host = shown(QueueMeter, { share: 0.93, level: 'critical' })
    expect(host.textContent).toContain('93%')
    expect(host.textContent).toContain('即将写满')
    expect(host.querySelector('[role="meter"]')?.getAttribute('aria-valuenow')).toBe('93')
  })
})

describe('IntakeSummary', () => {
  const words = (refusals: Refusals | null): string => shown(IntakeSummary, { nodes: [node(health())], refusals }).querySelector('[data-testid="intake"] .soft')?.textContent ?? ''

  it('claims no more than those who may not see refusals can know', () => {
    expect(words({ refused: [], waiting: [], kept: [] })).toBe(i18n.global.t('intake.keptHint'))
    app?.unmount()
    expect(words(null)).toBe(i18n.global.t('intake.keptByNodesHint'))
  })
})
