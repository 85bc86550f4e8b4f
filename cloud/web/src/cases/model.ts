import { shallowRef, type ShallowRef } from 'vue'
import { api, take } from '@/api/client'
import type { CaseModel } from '@/api/types'
import { useLive } from '@/live/feed'

const model = shallowRef<CaseModel | null>(null)
let asking = false

async function load(): Promise<void> {
  if (asking) return
  asking = true
  try {
    model.value = await take(api.GET('/api/v1/case-model'))
  } catch {
    // Asked for again with the next case; without the table an action that wants a reason is refused by the service, with its words.
  } finally {
    asking = false
  }
}

/** The service's table of states, actions and reasons; one for the whole page. */
export function useCaseModel(): ShallowRef<CaseModel | null> {
  if (model.value === null) void load()
  useLive('resync', () => void load())
  return model
}
