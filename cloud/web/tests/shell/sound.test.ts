import { describe, expect, it } from 'vitest'
import { rings } from '@/shell/sound'

describe('rings', () => {
  it('rings for what is new, and for what comes late but still holds', () => {
    expect(rings({ late: false, ongoing: false })).toBe(true)
    expect(rings({ late: true, ongoing: true })).toBe(true)
    expect(rings({ late: true, ongoing: false })).toBe(false)
  })
})
