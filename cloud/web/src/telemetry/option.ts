import type { Series } from '@/api/types'
import { clock, full, minuteOf, date } from '@/time/format'
import { type Declared, type ValueAxis, valueAxis } from './axis'
import type { ChartOption } from './charts'
import { curveOf } from './curve'
import { type GapArea, gapSpan } from './gap'
import { reading } from './value'

export interface ChartTexts {
  mean: string
  band: string
  missing: (span: string) => string
  incident: string
}

export interface ChartFrame {
  from: number
  to: number
  now: number
  unit: string | null
  declared: Declared
  /** When an incident held, to be marked. */
  incident: { from: number; to: number } | null
}

/** Colours by the names of the tokens. */
export type Palette = (token: string) => string

const DAY_MS = 86_400_000

function tick(at: number, span: number): string {
  if (span > 2 * DAY_MS) return date(at).slice(5)
  return span > 300_000 ? minuteOf(at) : clock(at)
}

interface Hint {
  seriesId?: string
  value?: unknown
}

function hint(hints: readonly Hint[], unit: string, texts: ChartTexts): HTMLElement {
  const at = (id: string): [number, number] | undefined => {
    const value = hints.find((one) => one.seriesId === id)?.value
    return Array.isArray(value) && typeof value[1] === 'number' ? [Number(value[0]), value[1]] : undefined
  }
  const element = document.createElement('div')
  const line = (content: string): void => {
    element.append(Object.assign(document.createElement('div'), { textContent: content }))
  }
  const [mean, lower, spread] = [at('mean'), at('lower'), at('spread')]
  if (mean === undefined) return element
  line(full(mean[0]))
  line(`${texts.mean} ${reading(mean[1])}${unit}`)
  if (lower && spread) line(`${texts.band} ${reading(lower[1])} – ${reading(lower[1] + spread[1])}${unit}`)
  return element
}

function axisOf(series: Series, declared: Declared): Partial<ValueAxis> {
  const low = series.minimum.reduce((a, b) => Math.min(a, b), Infinity)
  const high = series.maximum.reduce((a, b) => Math.max(a, b), -Infinity)
  return low <= high ? valueAxis(low, high, declared) : {}
}

/** The chart of a series: mean line, band from minimum to maximum, marked gaps, the incident's time. */
export function chartOption(
  series: Series,
  gaps: readonly GapArea[],
  frame: ChartFrame,
  texts: ChartTexts,
  palette: Palette,
): ChartOption {
  const curve = curveOf(series, gaps)
  const unit = frame.unit === null ? '' : ` ${frame.unit}`
  const span = frame.to - frame.from
  const edge = { lineStyle: { opacity: 0 }, symbol: 'none', silent: true, stack: 'band', stackStrategy: 'all' } as const
  const narrow = span * 0.11
  return {
    animation: false,
    grid: { left: 12, right: 18, top: 28, bottom: 8, containLabel: true },
    tooltip: {
      trigger: 'axis',
      backgroundColor: palette('raised'),
      borderColor: palette('line-strong'),
      textStyle: { color: palette('text'), fontSize: 12 },
      formatter: (hints) => hint(hints as Hint[], unit, texts),
    },
    xAxis: {
      type: 'time',
      min: frame.from,
      max: frame.to,
      axisLine: { lineStyle: { color: palette('line-strong') } },
      axisLabel: { color: palette('text-faint'), hideOverlap: true, formatter: (at: number) => tick(at, span) },
    },
    yAxis: {
      type: 'value',
      scale: true,
      ...axisOf(series, frame.declared),
      name: frame.unit ?? '',
      nameTextStyle: { color: palette('text-faint'), align: 'left' },
      axisLabel: { color: palette('text-faint') },
      splitLine: { lineStyle: { color: palette('line') } },
    },
    series: [
      { id: 'lower', type: 'line', data: curve.lower, ...edge },
      { id: 'spread', type: 'line', data: curve.spread, ...edge, areaStyle: { color: palette('band'), opacity: 1 } },
      {
        id: 'mean',
        type: 'line',
        data: curve.mean,
        symbol: 'none',
        sampling: 'lttb',
        lineStyle: { color: palette('accent'), width: 1.6 },
        itemStyle: { color: palette('accent') },
        markArea: {
          silent: true,
          data: gaps.map((gap) => [
            {
              name: gap.to - gap.from > narrow ? texts.missing(gapSpan(gap, frame.now)) : '',
              xAxis: gap.from,
              itemStyle: { color: palette('gap') },
              label: { color: palette('high'), position: 'insideTop', fontSize: 12 },
            },
            { xAxis: gap.to },
          ]),
        },
        ...(frame.incident === null
          ? {}
          : {
              markLine: {
                silent: true,
                symbol: 'none',
                lineStyle: { color: palette('critical'), type: 'dashed' },
                label: { color: palette('critical'), formatter: texts.incident, position: 'end', rotate: 0, distance: 4 },
                data: [{ xAxis: frame.incident.from }],
              },
            }),
      },
    ],
  }
}
