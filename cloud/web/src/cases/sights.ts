import type { CameraSight, Incident } from '@/api/types'

/** Something that a camera saw: so many of a kind, in a zone or anywhere in its picture. */
export interface Sighting {
  thing: string
  count: number
  zone: string | null
}

/**
 * What a camera counted and is worth a word: whatever is there, the zones first, for what stands in a fire lane matters more than
 * what stands somewhere. Null where nobody counted; an empty list where nobody and nothing is there.
 */
export function sightings(view: CameraSight): Sighting[] | null {
  if (view.counts === null) return null
  const there = view.counts.filter((each) => each.count > 0).map(({ label, count, zone }) => ({ thing: label, count, zone }))
  return [...there.filter((each) => each.zone !== null), ...there.filter((each) => each.zone === null)]
}

/** The name of the camera that took a file of an incident; null where it is the device's own, or nobody has said. */
export function cameraOf(incident: Incident | null, sha256: string): string | null {
  return incident?.views.find((view) => view.evidence.includes(sha256))?.name ?? null
}

/** The stored picture that stands for a film until it is played: one that the same camera took. */
export function posterOf(incident: Incident | null, sha256: string): string | undefined {
  const camera = cameraOf(incident, sha256)
  return incident?.evidence.find(
    (file) => file.stored && file.kind !== 'sealed' && file.mime.startsWith('image/') && cameraOf(incident, file.sha256) === camera,
  )?.url
}
