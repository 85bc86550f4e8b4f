import { toValue, watch, type MaybeRefOrGetter } from 'vue'
import { api, take } from '@/api/client'
import { useResource, type Resource } from '@/api/resource'
import type { CaseSummary } from '@/api/types'
import { useLive } from '@/live/feed'
import { useSettled } from '@/time/settle'

/** As many as one looks through; all others are found in the list of cases. */
const NEWEST = 10
const RELOAD_GAP_MS = 3000

/** What the device saw last: the picture of the case that was active last, which need not be the one opened last. */
export function lastSeen(cases: readonly CaseSummary[]): { summary: CaseSummary; picture: string } | null {
  let last: { summary: CaseSummary; picture: string } | null = null
  for (const summary of cases) {
    if (summary.picture === null) continue
    if (last === null || Date.parse(summary.last_activity_at) > Date.parse(last.summary.last_activity_at)) last = { summary, picture: summary.picture }
  }
  return last
}

/** The newest cases of a device, kept current by the live stream. */
export function useDeviceCases(deviceId: MaybeRefOrGetter<number>): Resource<CaseSummary[]> {
  const cases = useResource(async () => {
    const query = { device: toValue(deviceId), limit: NEWEST }
    return (await take(api.GET('/api/v1/cases', { params: { query } }))).items
  })
  const soon = useSettled(() => void cases.load(), RELOAD_GAP_MS)
  const told = (summary: CaseSummary): void => {
    if (summary.device?.id === toValue(deviceId)) soon()
  }
  useLive('case.opened', told)
  useLive('case.updated', told)
  useLive('resync', soon)
  watch(() => toValue(deviceId), () => {
    cases.data.value = null
    void cases.load()
  }, { immediate: true })
  return cases
}
