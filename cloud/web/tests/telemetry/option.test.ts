import { describe, expect, it } from 'vitest'
import type { Series } from '@/api/types'
import { chartOption } from '@/telemetry/option'
import { reading } from '@/telemetry/value'

const T0 = Date.UTC(2026, 4, 1, 6)
const series: Series = {
  device_id: 1,
  point: 'temperature_c',
  unit: '°C',
  step: 'minute',
  observed_at: [new Date(T0).toISOString()],
  mean: [20],
  minimum: [19],
  maximum: [22],
  gaps: [],
  next_from: null,
}
const frame = { from: T0, to: T0 + 3_600_000, now: T0 + 3_600_000, unit: '°C', declared: { minimum: null, maximum: null }, incident: { from: T0 + 60_000, to: T0 + 120_000 } }
const texts = { mean: 'mean', band: 'band', missing: (span: string) => `missing ${span}`, incident: 'incident' }
const palette = (token: string): string => token

interface Area {
  name: string
  xAxis: number
}

describe('chartOption', () => {
  const gaps = [
    { from: T0 + 600_000, to: T0 + 1_200_000, count: 9, reasons: ['quota'] },
    { from: T0 + 1_300_000, to: T0 + 1_310_000, count: 1, reasons: ['quota'] },
  ]
  const option = chartOption(series, gaps, frame, texts, palette)
  const drawn = option.series as { id: string; markArea?: { data: Area[][] }; markLine?: { data: { xAxis: number }[] } }[]

  it('marks each gap, and names those that have room for it', () => {
    const areas = drawn.find((one) => one.id === 'mean')?.markArea?.data ?? []
    expect(areas.map(([start, end]) => [start?.name, end?.xAxis])).toEqual([
      ['missing 14:10–14:20', T0 + 1_200_000],
      ['', T0 + 1_310_000],
    ])
  })

  it('marks the start of the incident', () => {
    expect(drawn.find((one) => one.id === 'mean')?.markLine?.data).toEqual([{ xAxis: T0 + 60_000 }])
  })

  it('spans the window, also where nothing was read', () => {
    expect(option.xAxis).toMatchObject({ min: frame.from, max: frame.to })
  })
})

describe('reading', () => {
  it('shows as many figures as help', () => {
    expect([reading(12_345.6), reading(71.26), reading(7.126), reading(0.12345), reading(20)]).toEqual([
      '12346',
      '71.3',
      '7.13',
      '0.123',
      '20',
    ])
  })
})
