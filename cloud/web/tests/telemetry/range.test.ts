import { describe, expect, it } from 'vitest'
import { rangeOf } from '@/telemetry/range'

describe('rangeOf', () => {
  it('takes the ranges there are and nothing else', () => {
    expect(rangeOf('h24')).toBe('h24')
    for (const wrong of ['h25', 'toString', '', null, undefined, ['h24']]) expect(rangeOf(wrong)).toBeNull()
  })
})
