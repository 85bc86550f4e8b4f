import { describe, expect, it } from 'vitest'
import type { HistoryEntry, Hold, Role, SealedOriginal, Unsealing, User } from '@/api/types'
import { ROLES } from '@/access/roles'
import { actOf, asked, fileName, isStated, rightsOf, standingOf, stepsOf } from '@/proof/proof'

const AT = '2026-03-17T04:30:00Z'
const NOW = Date.parse(AT)
const HOLD: Hold = { id: 1, case_id: 1, reason: 'court', until: null, set_by: 'chief', set_at: AT, level: 'district', area: 'Chaoyang', may_lift: true, lifted_by: null, lifted_at: null, lift_note: null, unkept: 0 }
const REQUEST: Unsealing = { id: 7, case_id: 1, case_number: 'G2026-1', sha256: 'a', purpose: 'court', state: 'waiting', asked_by: 'lead', asked_at: AT, decided_by: null, decided_at: null, expires_at: AT, ready_at: null, gone_at: null, unserved_at: null, unserved_reason: null, unmarked: false, handed_at: null }
const FILE: SealedOriginal = { sha256: 'a', size_bytes: 10, captured_at: AT, is_stored: true }

function person(role: Role, name = 'somebody'): User {
  return { id: 1, name, display_name: name, role, area: null }
}

describe('what a role may do', () => {
  const those = (may: (role: Role) => boolean): Role[] => ROLES.filter(may).sort()

  it('is what the service lets it', () => {
    expect(those((role) => rightsOf(role).readsHolds)).toEqual(['administrator', 'auditor', 'duty_chief'])
    expect(those((role) => rightsOf(role).holds)).toEqual(['administrator', 'duty_chief'])
    expect(those((role) => rightsOf(role).readsOriginals)).toEqual(['administrator', 'auditor', 'duty_chief', 'grid_lead'])
    expect(those((role) => rightsOf(role).asks)).toEqual(['duty_chief', 'grid_lead'])
    expect(those((role) => rightsOf(role).decides)).toEqual(['administrator', 'duty_chief'])
  })

  it('is nothing while nobody is signed in', () => {
    expect(Object.values(rightsOf(null))).toEqual([false, false, false, false, false])
  })
})

describe('a hold', () => {
  it('holds until its end, or until it is lifted', () => {
    expect(standingOf(HOLD, NOW)).toBe('holding')
    expect(standingOf({ ...HOLD, until: '2026-03-17T04:30:01Z' }, NOW)).toBe('holding')
    expect(standingOf({ ...HOLD, until: AT }, NOW)).toBe('over')
    expect(standingOf({ ...HOLD, until: AT, lifted_at: AT }, NOW)).toBe('lifted')
  })
})

describe('a request', () => {
  it('is decided by another person in charge, while it waits', () => {
    expect(actOf(REQUEST, person('duty_chief'))).toBe('decide')
    expect(actOf(REQUEST, person('administrator'))).toBe('decide')
    expect(actOf(REQUEST, person('duty_chief', 'lead'))).toBeNull()
    expect(actOf(REQUEST, person('auditor'))).toBeNull()
    expect(actOf({ ...REQUEST, state: 'allowed' }, person('duty_chief'))).toBeNull()
    expect(actOf(REQUEST, null)).toBeNull()
  })

  it('is taken by whoever asked, when it is ready', () => {
    expect(actOf({ ...REQUEST, state: 'ready' }, person('grid_lead', 'lead'))).toBe('take')
    expect(actOf({ ...REQUEST, state: 'ready' }, person('duty_chief'))).toBeNull()
    expect(actOf({ ...REQUEST, state: 'ready' }, person('administrator', 'lead'))).toBeNull() // whose role changed meanwhile
    for (const state of ['fetching', 'handed', 'expired', 'gone', 'refused'] as const) expect(actOf({ ...REQUEST, state }, person('grid_lead', 'lead'))).toBeNull()
  })

  it('is not made twice by one person, but by two', () => {
    expect(asked([FILE], [REQUEST], person('grid_lead', 'lead'))[0]?.askable).toBe(false)
    expect(asked([FILE], [REQUEST], person('duty_chief'))[0]?.askable).toBe(true)
    expect(asked([FILE], [{ ...REQUEST, state: 'refused' }], person('grid_lead', 'lead'))[0]?.askable).toBe(true)
    expect(asked([FILE], [], person('administrator'))[0]?.askable).toBe(false)
    expect(asked([FILE], [], null)[0]?.askable).toBe(false)
  })

  it('stays on the list when its file is no more, and can not be made again', () => {
    const [kept, gone, ...others] = asked([FILE], [{ ...REQUEST, sha256: 'b' }, { ...REQUEST, id: 8, sha256: 'b' }], person('duty_chief'))
    expect(kept).toMatchObject({ sha256: 'a', requests: [], askable: true })
    expect(gone).toMatchObject({ sha256: 'b', original: null, askable: false })
    expect(gone?.requests.map((one) => one.id)).toEqual([7, 8])
    expect(others).toEqual([])
  })

  it('names its file without being a path', () => {
    expect(fileName(REQUEST)).toBe('G2026-1-7.age')
    expect(fileName({ ...REQUEST, case_number: '../a b' })).toBe('___a_b-7.age')
  })
})

describe('words and steps', () => {
  it('say something', () => {
    expect(['', '  x  ', 'x'.repeat(501)].map(isStated)).toEqual([false, false, false])
    expect([' court ', 'x'.repeat(500)].map(isStated)).toEqual([true, true])
  })

  it('are counted by what they are of', () => {
    const history = ['opened', 'hold_set', 'hold_unkept', 'unseal_asked', 'unsealed'].map((action) => ({ action }) as unknown as HistoryEntry)
    expect(stepsOf(history, 'hold_')).toBe(2)
    expect(stepsOf(history, 'unseal')).toBe(2)
  })
})
