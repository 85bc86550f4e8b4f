import { describe, expect, it } from 'vitest'
import { asText, linesOf } from '@/nodes/log'

const LINES = [
  { at: '2026-03-01T12:00:00Z', level: 'warning', text: 'camera lost' },
  { at: null, level: null, text: 'a line of another program' },
]

describe('the lines in an answer', () => {
  it('are read as they are', () => {
    expect(linesOf({ lines: LINES, cut: false })).toEqual(LINES)
  })

  it('are none where the answer is of another shape', () => {
    for (const result of [null, undefined, {}, { lines: 'x' }, { lines: [null, 1, 'x', {}, { text: 1 }] }]) expect(linesOf(result)).toEqual([])
    expect(linesOf({ lines: [{ at: 1, level: [], text: 'x' }] })).toEqual([{ at: null, level: null, text: 'x' }])
  })

  it('have a time only where it is one', () => {
    expect(linesOf({ lines: [{ at: 'yesterday', level: null, text: 'x' }] })).toEqual([{ at: null, level: null, text: 'x' }])
  })

  it('are copied as text', () => {
    expect(asText(LINES)).toBe('2026-03-01T12:00:00Z [warning] camera lost\na line of another program')
  })
})
