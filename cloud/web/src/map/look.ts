import type { GridProperties, HeatCell, Presence } from '@/api/types'

/** How something is painted; colours are names of tokens. */
export interface Look {
  line: string
  weight: number
  fill: string
  /** 0 to 1 */
  opacity: number
  dash?: string
}

/** More open cases make a grid denser, up to a point: beyond it the number tells. */
const FULL = 6

export function gridLook(grid: Pick<GridProperties, 'open_cases' | 'severity'>, chosen: boolean): Look {
  const quiet = grid.open_cases === 0 || grid.severity === null
  return {
    line: chosen ? 'accent' : 'map-line',
    weight: chosen ? 3 : 1,
    fill: quiet ? 'map-grid' : grid.severity ?? 'map-grid',
    opacity: quiet ? 0.75 : 0.16 + 0.26 * Math.min(1, grid.open_cases / FULL),
  }
}

/** What happened in a grid over some days: one colour, the denser the more; an overdue or serious one has a stronger edge. */
export function heatLook(cell: HeatCell | undefined, chosen: boolean): Look {
  const marked = cell !== undefined && cell.overdue + cell.serious > 0
  return {
    line: chosen ? 'accent' : marked ? 'critical' : 'map-line',
    weight: chosen ? 3 : marked ? 2 : 1,
    fill: cell === undefined || cell.opened === 0 ? 'map-grid' : 'high',
    opacity: cell === undefined || cell.opened === 0 ? 0.75 : 0.12 + 0.7 * cell.heat,
  }
}

/** Full for online, thick ring for lost, so that the colour is not needed to tell them apart. */
export function deviceLook(presence: Presence): Look {
  switch (presence) {
    case 'online':
      return { line: 'map-ground', weight: 1.5, fill: 'good', opacity: 1 }
    case 'degraded':
      return { line: 'high', weight: 3, fill: 'good', opacity: 1 }
    case 'lost':
      return { line: 'critical', weight: 3, fill: 'map-ground', opacity: 1 }
    default:
      return { line: 'text-faint', weight: 2, fill: 'map-ground', opacity: 1, dash: '2 3' }
  }
}
