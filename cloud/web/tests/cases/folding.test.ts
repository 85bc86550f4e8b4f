import { afterEach, describe, expect, it } from 'vitest'
import { type App, createApp } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import type { Folding } from '@/api/types'
import FoldingFacts from '@/cases/FoldingFacts.vue'
import { i18n } from '@/locale'

let app: App | undefined

function shown(folding: Folding): HTMLElement {
  const host = document.body.appendChild(document.createElement('div'))
  const page = { template: '<i />' }
  const router = createRouter({ history: createMemoryHistory(), routes: [{ path: '/', component: page }, { path: '/cases/:id', name: 'case', component: page }] })
  app = createApp(FoldingFacts, { folding }).use(i18n).use(router)
  app.mount(host)
  return host
}

function source(number: number, incidents: number): Folding['by_source'][number] {
  return {
    node: 'node-1',
    device: `cam-${number}`,
    name: `Gate ${number}`,
    simulated: false,
    zone: 'yard',
    rule: 'intrusion-yard',
    incidents,
    by_severity: { low: 0, medium: incidents, high: 0, critical: 0 },
    last_at: '2026-03-17T04:30:00Z',
  }
}

const SMALL: Folding = { incidents: 2, sources: 1, flooded: false, repeats_until: null, repeats_up_to: null, by_source: [source(1, 2)], linked: [] }

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
})

describe('what a case is made of', () => {
  it('says how many incidents of whom, the busiest with the longest bar', () => {
    const host = shown({ ...SMALL, incidents: 40, sources: 2, flooded: true, by_source: [source(1, 30), source(2, 10)] })
    const { t } = i18n.global
    expect(host.textContent).toContain(t('folding.sum', { incidents: 40, sources: 2 }))
    expect(host.textContent).toContain(t('folding.flooded'))
    const bars = [...host.querySelectorAll<HTMLElement>('.bar span')].map((bar) => Math.round(Number.parseFloat(bar.style.width)))
    expect(bars).toEqual([100, 33])
  })

  it('keeps forty sources short until somebody asks', async () => {
    const host = shown({ ...SMALL, incidents: 40, sources: 40, by_source: Array.from({ length: 40 }, (_, number) => source(number, 1)) })
    expect(host.querySelectorAll('[data-testid="folding-source"]')).toHaveLength(5)
    host.querySelector<HTMLButtonElement>('.more')?.click()
    await Promise.resolve()
    expect(host.querySelectorAll('[data-testid="folding-source"]')).toHaveLength(40)
  })

  it('tells of a repeated false alarm and of the cases that are linked', () => {
    const linked = [{ id: 7, number: '110105-20260317-0007', kind: 'intrusion', severity: 'high' as const, status: 'reported' as const, opened_at: '2026-03-17T04:30:00Z', simulated: true }]
    const host = shown({ ...SMALL, repeats_until: '2026-03-17T10:30:00Z', repeats_up_to: 'medium', linked })
    const { t } = i18n.global
    expect(host.textContent).toContain(t('folding.repeats'))
    expect(host.textContent).not.toContain(t('folding.flooded'))
    expect(host.querySelector('[data-testid="folding-linked"] a')?.getAttribute('href')).toBe('/cases/7')
    expect(host.querySelectorAll('[data-testid="folding-linked"] [data-testid="simulated"]')).toHaveLength(1)
  })
})
