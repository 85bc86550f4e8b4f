import { describe, expect, it } from 'vitest'
import { count, percent, seconds, size } from '@/nodes/amount'

describe('amounts', () => {
  it('are grouped', () => {
    expect(count(1234567)).toBe('1,234,567')
  })

  it('have a unit that fits', () => {
    expect([0, 999, 1024, 293_601_280, 5 * 2 ** 40].map(size)).toEqual(['0 B', '999 B', '1 KiB', '280 MiB', '5 TiB'])
  })

  it('are no less than nothing when they are nothing', () => {
    expect([-0.001, 0, 0.004, -1.236].map(seconds)).toEqual(['0.00', '0.00', '0.00', '-1.24'])
  })

  it('never say full before it is, nor nothing where something is', () => {
    expect([0, 0.001, 0.5, 0.899, 0.9999, 1].map(percent)).toEqual(['0', '<1', '50', '90', '99', '100'])
  })
})
