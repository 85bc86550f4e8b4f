import { api, take } from '@/api/client'
import { CSRF_HEADER } from '@/api/client'
import { problemFrom } from '@/api/problem'
import type { Role } from '@/api/types'
import type { components } from '@/api/schema'

export type Wish = components['schemas']['ReportRequest']
export type Receipt = components['schemas']['ReportReceipt']
export type Category = components['schemas']['Category']
type Origin = Wish['origin']

/** Who reports what, as the service has it: a grid worker his own find (巡查), the desk what others ask for (点单) or call in. */
export const ORIGINS: Partial<Record<Role, readonly Origin[]>> = {
  grid_worker: ['patrol'],
  grid_lead: ['patrol'],
  intake_clerk: ['request', 'hotline'],
  dispatcher: ['request', 'hotline'],
  duty_chief: ['patrol', 'request', 'hotline'],
  administrator: ['patrol', 'request', 'hotline'],
}
/** The service takes nine at most. */
export const MOST_PICTURES = 9
const LONGEST_SIDE_PX = 2560
const QUALITY = 0.86

/** Categories that can be chosen, each under its class; the code of a class is the beginning of theirs. */
export function grouped(categories: readonly Category[]): { class: Category; items: Category[] }[] {
  const classes = categories.filter((one) => one.code.length === 3)
  return classes.map((one) => ({ class: one, items: categories.filter((item) => item.code.length === 5 && item.code.startsWith(one.code)) })).filter((group) => group.items.length > 0)
}

export interface Draft {
  origin: Origin
  category: string
  title: string
  description: string
  area: string | null
  position: { longitude: number; latitude: number } | null
  address: string
}

export type Lack = 'category' | 'title' | 'place'

/** What is missing before it can be sent. */
export function lacking(draft: Draft): Lack[] {
  const lacks: Lack[] = []
  if (draft.category === '') lacks.push('category')
  if (draft.title.trim() === '') lacks.push('title')
  if (draft.area === null && draft.position === null) lacks.push('place')
  return lacks
}

export function wishOf(draft: Draft, now: number): Wish {
  const optional = (text: string): string | null => text.trim() || null
  return {
    origin: draft.origin,
    category: draft.category,
    title: draft.title.trim(),
    description: optional(draft.description),
    address: optional(draft.address),
    area: draft.area,
    longitude: draft.position?.longitude ?? null,
    latitude: draft.position?.latitude ?? null,
    sent_at: new Date(now).toISOString(),
    drill: false,
  }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** One for each report: sent twice, it stays one. */
export function newKey(): string {
  return hex(crypto.getRandomValues(new Uint8Array(16)))
}

/** A picture as the service takes it: JPEG, no larger than anybody looks at. Raises where the browser can't read the file. */
export async function asJpeg(file: Blob): Promise<Blob> {
  const image = await createImageBitmap(file)
  const scale = Math.min(1, LONGEST_SIDE_PX / Math.max(image.width, image.height))
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(image.width * scale)
  canvas.height = Math.round(image.height * scale)
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height)
  image.close()
  return await new Promise((resolve, reject) => {
    canvas.toBlob((blob) => { if (blob === null) reject(new Error('no picture')); else resolve(blob) }, 'image/jpeg', QUALITY)
  })
}

export function send(wish: Wish, key: string): Promise<Receipt> {
  return take(api.POST('/api/v1/reports', { params: { header: { 'Idempotency-Key': key } }, body: wish }))
}

/** Sends a picture of a report; sent twice it is kept once. Raises a `Problem`. */
export async function sendPicture(report: string, picture: Blob): Promise<void> {
  const content = await picture.arrayBuffer()
  const sha256 = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', content)))
  const answer = await globalThis.fetch(`/api/v1/reports/${report}/pictures/${sha256}`, {
    method: 'PUT',
    credentials: 'same-origin',
    headers: { 'Content-Type': 'image/jpeg', [CSRF_HEADER]: '1' },
    body: content,
  })
  if (!answer.ok) throw problemFrom(answer, await answer.json().catch(() => null))
}
