import type { WallCamera } from '@/api/types'
import { instant } from '@/time/format'

/** One comes each 2 to 5 s: from here on the page says that a picture is old. */
export const STALE_S = 15
/** The service deletes it by then; a page that was cut off must not go on showing it as what is there. */
export const GONE_S = 300

export type Look = 'fresh' | 'stale' | 'none'

export interface TileView {
  look: Look
  /** Seconds since the picture was taken, never below 0; null where there is none to show. */
  ageS: number | null
  /** The address of the picture: another one for each, so that the browser asks for it. */
  picture: string | null
}

/** What a tile shows of its camera at `now`. */
export function tileView(camera: WallCamera, now: number): TileView {
  if (camera.url === null || camera.captured_at === null) return { look: 'none', ageS: null, picture: null }
  const ageS = Math.max(0, Math.floor((now - instant(camera.captured_at)) / 1000))
  if (ageS >= GONE_S) return { look: 'none', ageS: null, picture: null }
  const picture = `${camera.url}?at=${encodeURIComponent(camera.captured_at)}`
  return { look: camera.state === 'shown' && ageS < STALE_S ? 'fresh' : 'stale', ageS, picture }
}

/** Cameras that match all words, by node and name. */
export function matching(cameras: readonly WallCamera[], words: string): WallCamera[] {
  const parts = words.toLowerCase().split(/\s+/).filter(Boolean)
  return cameras
    .filter((camera) => {
      const text = [camera.name, camera.device, camera.node, camera.spot, camera.area?.name, camera.area?.code].filter(Boolean).join(' ').toLowerCase()
      return parts.every((part) => text.includes(part))
    })
    .sort((one, other) => one.node.localeCompare(other.node) || one.name.localeCompare(other.name, 'zh-CN'))
}
