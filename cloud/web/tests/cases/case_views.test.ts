import { afterEach, describe, expect, it } from 'vitest'
import { type App, createApp } from 'vue'
import type { CameraSight } from '@/api/types'
import CaseViews from '@/cases/CaseViews.vue'
import { i18n } from '@/locale'

let app: App | undefined

function shown(...views: CameraSight[]): string[] {
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(CaseViews, { views }).use(i18n)
  app.mount(host)
  return [...host.querySelectorAll('[data-testid="case-view"]')].map((item) => item.textContent?.replaceAll(/\s+/g, ' ').trim() ?? '')
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
})

describe('the views of an incident', () => {
  it('say what stood there, or why nothing is seen', () => {
    const counts = [
      { label: 'person', count: 2, zone: null },
      { label: 'vehicle', count: 1, zone: 'lane' },
      { label: 'made_up', count: 3, zone: null },
    ]
    const [near, lost, empty, unknown] = shown(
      { camera: 'cam-1', name: 'cam-1', captured_at: null, counts, evidence: ['aa'], absence: null, trouble: 'dark' },
      { camera: 'cam-2', name: 'cam-2', captured_at: null, counts: null, evidence: [], absence: 'camera_lost', trouble: null },
      { camera: 'cam-3', name: 'cam-3', captured_at: null, counts: [], evidence: ['bb'], absence: null, trouble: null },
      { camera: 'cam-4', name: 'cam-4', captured_at: null, counts: null, evidence: [], absence: 'a_reason_of_tomorrow', trouble: null },
    )
    const { t } = i18n.global
    expect(near).toContain(t('view.near', { thing: t('thing.person'), count: 2 }))
    expect(near).toContain(t('view.inZone', { thing: t('thing.vehicle'), zone: 'lane', count: 1 }))
    expect(near).toContain('made up')
    expect(near).toContain(t('trouble.dark'))
    expect(lost).toContain(t('absence.camera_lost'))
    expect(empty).toContain(t('view.nobody'))
    expect(unknown).toContain('a reason of tomorrow')
  })
})
