import { describe, expect, it } from 'vitest'
import { actionText, detailText } from '@/access/detail'
import { i18n, useWords } from '@/locale'
import { createApp, defineComponent, h } from 'vue'

describe('what else a row of the audit log says', () => {
  it('leaves out what has a column of its own and what says nothing', () => {
    expect(detailText({ case: 7, purpose: 'rounds', from: 'reported', note: null, empty: '' })).toBe('from: reported')
  })

  it('tells nested values as they are', () => {
    expect(detailText({ role: { from: 'auditor', to: 'grid_lead' }, sessions: 0 })).toBe('role: {"from":"auditor","to":"grid_lead"}, sessions: 0')
    expect(detailText({})).toBe('')
  })
})

describe('what was done', () => {
  it('is said in words of the audit log, or of the history of its own, and else as it is', () => {
    i18n.global.locale.value = 'en'
    let name: ReturnType<typeof useWords>['name'] | null = null
    const probe = defineComponent(() => {
      name = useWords().name
      return () => h('i')
    })
    createApp(probe).use(i18n).mount(document.createElement('div'))
    const said = (code: string): string => actionText(code, (group, word) => name?.(group, word) ?? '')
    expect(['session.signed_out', 'drill.ended', 'order.fix', 'rollout.pause', 'unheard.of_it'].map(said)).toEqual([
      'Session · signed out',
      'Drill · ended',
      `Work order · ${i18n.global.t('orderAction.fix')}`,
      'Rollout · Pause',
      'unheard · of it',
    ])
  })
})
