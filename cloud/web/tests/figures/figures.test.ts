import { describe, expect, it } from 'vitest'
import type { FigureView } from '@/api/types'
import { bars, changeOf, dayAfter, faultOf, highest, lastDays, length, longDuration, valueText } from '@/figures/figures'
import { heatLook } from '@/map/look'

function figure(part: Partial<FigureView>): FigureView {
  return { name: 'opened', unit: 'cases', value: 3, part: 3, whole: 3, low: null, high: null, is_few: false, before: null, ...part }
}

describe('the window', () => {
  it('counts local days with both ends, over months and leap days', () => {
    expect(lastDays(7, '2026-03-03')).toEqual({ from: '2026-02-25', to: '2026-03-03' })
    expect(dayAfter('2028-02-28', 1)).toBe('2028-02-29')
    expect(length({ from: '2026-11-22', to: '2026-11-22' })).toBe(1)
  })

  it('is refused before it is asked for', () => {
    expect(faultOf({ from: '2026-11-22', to: '2026-11-21' })).toBe('order')
    expect(faultOf({ from: '', to: '2026-11-21' })).toBe('none')
    expect(faultOf(lastDays(400, '2026-11-21'))).toBeNull()
    expect(faultOf(lastDays(401, '2026-11-21'))).toBe('long')
  })
})

describe('a figure', () => {
  it('is a dash where nothing happened that it is made of', () => {
    expect(valueText(figure({ unit: 'share', value: null, whole: 0 }), 'en')).toBe('–')
    expect(changeOf(figure({ value: null, before: 2 }), 'less', 'en')).toBeNull()
  })

  it('promises no percentage of few things', () => {
    const few = figure({ unit: 'share', value: 0.5, part: 1, whole: 2, is_few: true, before: 1 })
    expect(valueText(few, 'en')).toBe('1/2')
    expect(changeOf(few, 'more', 'en')).toBeNull()
    expect(valueText(figure({ unit: 'share', value: 0.875, part: 70, whole: 80 }), 'en')).toBe('88 %')
    expect(valueText(figure({ unit: 'share', value: 0.8754, part: 1751, whole: 2000 }), 'en')).toBe('87.5 %')
  })

  it('says whether a change is for the better, and nothing where neither way is', () => {
    expect(changeOf(figure({ value: 2, before: 5 }), 'less', 'en')).toEqual({ text: '−3', good: true })
    expect(changeOf(figure({ unit: 'share', value: 0.9, whole: 80, before: 0.95 }), 'more', 'en')).toEqual({ text: '−5.0', good: false })
    expect(changeOf(figure({ value: 5, before: 2 }), 'neither', 'en')).toEqual({ text: '+3', good: null })
    expect(changeOf(figure({ value: 2, before: 2 }), 'less', 'en')).toEqual({ text: '±0', good: null })
  })

  it('tells long times in days', () => {
    expect(longDuration(3 * 86_400 + 7200, 'zh')).toBe('3天2小时')
    expect(longDuration(2 * 86_400, 'en')).toBe('2 d')
    expect(longDuration(90, 'en')).toBe('1 min 30 s')
  })
})

describe('days', () => {
  const days = [4, 0, 2].map((value, at) => ({ day: `2026-11-0${String(at + 1)}`, figures: { opened: { value, part: value, whole: value } } }))

  it('are bars of one scale', () => {
    expect(highest(days, ['opened', 'closed'])).toBe(4)
    expect(bars(days, 'opened', 4).map((bar) => bar.share)).toEqual([1, 0, 0.5])
    expect(bars(days, 'closed', 4).map((bar) => bar.count)).toEqual([0, 0, 0])
    expect(bars(days, 'opened', 0).map((bar) => bar.share)).toEqual([0, 0, 0])
  })
})

describe('the heat of a grid', () => {
  it('is denser with more, plain without, and edged where something is overdue or critical', () => {
    const cell = { code: '1', name: 'one', opened: 4, overdue: 0, serious: 0, heat: 0.5 }
    expect(heatLook(cell, false).opacity).toBeLessThan(heatLook({ ...cell, heat: 1 }, false).opacity)
    expect(heatLook(undefined, false).fill).toBe('map-grid')
    expect(heatLook({ ...cell, overdue: 1 }, false).line).toBe('critical')
    expect(heatLook(cell, true).line).toBe('accent')
  })
})
