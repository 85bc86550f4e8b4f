import { describe, expect, it } from 'vitest'
import { detailText } from '@/access/detail'

describe('what else a row of the audit log says', () => {
  it('leaves out what has a column of its own and what says nothing', () => {
    expect(detailText({ case: 7, purpose: 'rounds', from: 'reported', note: null, empty: '' })).toBe('from: reported')
  })

  it('tells nested values as they are', () => {
    expect(detailText({ role: { from: 'auditor', to: 'grid_lead' }, sessions: 0 })).toBe('role: {"from":"auditor","to":"grid_lead"}, sessions: 0')
    expect(detailText({})).toBe('')
  })
})
