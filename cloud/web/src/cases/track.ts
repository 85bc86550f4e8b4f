import type { TrackPoint } from '@/api/types'

export interface Spot {
  x: number
  y: number
}

export interface Box extends Spot {
  width: number
  height: number
}

/** What is drawn over a picture; all in fractions of its width and height. */
export interface Overlay {
  /** Where it stood until then, from the first sight on: the middle of each box's lower edge. */
  path: Spot[]
  /** Its box when the picture was taken; null when it was not seen within `NEAR_MS` of that moment. */
  box: Box | null
}

/** The track is thinned: its nearest point may lie a little beside the picture's moment. */
export const NEAR_MS = 1500

const clamp = (fraction: number): number => Math.min(1, Math.max(0, fraction))

function foot(point: TrackPoint): Spot {
  return { x: clamp((point.left + point.right) / 2), y: clamp(point.bottom) }
}

function boxOf(point: TrackPoint): Box {
  const [x, y] = [clamp(point.left), clamp(point.top)]
  return { x, y, width: clamp(point.right) - x, height: clamp(point.bottom) - y }
}

/** The overlay of a track over the picture taken at `capturedAt`. Points that are not numbers are left out. */
export function overlay(track: readonly TrackPoint[], capturedAt: string): Overlay {
  const moment = Date.parse(capturedAt)
  const points = track
    .filter((point) => [point.left, point.top, point.right, point.bottom, Date.parse(point.at)].every(Number.isFinite))
    .toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at))
  let nearest: TrackPoint | null = null
  let distance = NEAR_MS
  for (const point of points) {
    const away = Math.abs(Date.parse(point.at) - moment)
    if (away <= distance) [nearest, distance] = [point, away]
  }
  const until = points.filter((point) => !(Date.parse(point.at) > moment + NEAR_MS))
  return { path: until.map(foot), box: nearest === null ? null : boxOf(nearest) }
}

/** The path as the `points` of an SVG polyline in a box of `width` × `height`. */
export function polyline(path: readonly Spot[], width: number, height: number): string {
  return path.map(({ x, y }) => `${(x * width).toFixed(1)},${(y * height).toFixed(1)}`).join(' ')
}
