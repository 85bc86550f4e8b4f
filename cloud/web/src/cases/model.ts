import { shallowRef, type ShallowRef } from 'vue'
import { api, take } from '@/api/client'
import type { CaseModel } from '@/api/types'
import { useLive } from '@/live/feed'

const model = shallowRef<CaseModel | null>(null)
let asking: Promise<void> | null = null

async function ask(): Promise<void> {
  try {
    model.value = await take(api.GET('/api/v1/case-model'))
  } catch {
    // Asked for again with the next case; without the table an action that wants a reason is refused by the service, with its words.
  } finally {
    asking = null
  }
}

function load(): Promise<void> {
  return (asking ??= ask())
}

/** The table for whoever can't go on without it; null when it could not be read. */
export async function caseModel(): Promise<CaseModel | null> {
  if (model.value === null) await load()
  return model.value
}

/** The service's table of states, actions and reasons; one for the whole page. */
export function useCaseModel(): ShallowRef<CaseModel | null> {
  if (model.value === null) void load()
  useLive('resync', () => void load())
  return model
}
