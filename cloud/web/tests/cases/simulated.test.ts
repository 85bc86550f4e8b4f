import { afterEach, describe, expect, it } from 'vitest'
import { type App, createApp } from 'vue'
import type { Evidence } from '@/api/types'
import CaseFilm from '@/cases/CaseFilm.vue'
import CaseIncidents from '@/cases/CaseIncidents.vue'
import CasePicture from '@/cases/CasePicture.vue'
import { i18n } from '@/locale'
import { someIncident } from '../fakes/cases'

const evidence: Evidence = { sha256: 'a'.repeat(64), kind: 'snapshot', mime: 'image/jpeg', bytes: 1, captured_at: '2026-05-01T00:00:00Z', stored: true, url: '/api/v1/evidence/a' }

describe('what comes from a simulated device', () => {
  let app: App | undefined
  const shown = (component: Parameters<typeof createApp>[0], props: Record<string, unknown>): string => {
    const host = document.body.appendChild(document.createElement('div'))
    app = createApp(component, props).use(i18n)
    app.mount(host)
    return host.textContent ?? ''
  }
  afterEach(() => {
    app?.unmount()
    document.body.replaceChildren()
  })

  it.each([
    ['a picture', CasePicture, { evidence, track: [] }],
    ['a film', CaseFilm, { evidence, poster: undefined }],
  ])('says so: %s', (_what, component, props) => {
    expect(shown(component, { ...props, simulated: true })).toContain('模拟')
    app?.unmount()
    document.body.replaceChildren()
    expect(shown(component, { ...props, simulated: false })).not.toContain('模拟')
  })

  it('says so beside real ones of the same case', () => {
    const incidents = [someIncident({ simulated: true }), someIncident({ incident_id: '0196898c-0000-7000-8000-000000000002' })]
    const told = shown(CaseIncidents, { incidents, modelValue: null })
    expect(told.match(/模拟/g)).toHaveLength(1)
  })
})
