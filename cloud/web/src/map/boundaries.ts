import { api, take } from '@/api/client'
import type { GridCollection } from '@/api/types'
import { session } from '@/session/session'

/** Where the drawing starts: the person's area, or each top area for a person without one. */
async function roots(): Promise<string[]> {
  const area = session.state.user?.area ?? null
  if (area !== null) return [area.code]
  const { items } = await take(api.GET('/api/v1/areas'))
  return items.filter((item) => item.parent === null).map((item) => item.code)
}

/** The areas of a level within the person's scope that have a shape, with their open cases. */
export async function boundaries(level: 'grid' | 'community'): Promise<GridCollection> {
  const collections = await Promise.all(
    (await roots()).map((code) => take(api.GET('/api/v1/areas/{code}/geometry', { params: { path: { code }, query: { level } } }))),
  )
  const features = collections.flatMap((collection) => collection.features).filter((feature) => feature.geometry !== null)
  return { type: 'FeatureCollection', features }
}
