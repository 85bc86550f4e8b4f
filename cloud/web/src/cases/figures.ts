import { watch, type Ref } from 'vue'
import { api, take } from '@/api/client'
import { type Resource, useResource } from '@/api/resource'
import type { Figures } from '@/api/types'
import { useLive } from '@/live/feed'
import { useEach, useSettled } from '@/time/settle'

const EACH_MS = 60_000
const GAP_MS = 2000

/** The figures of an area, asked for again soon after something moved them, and each minute in any case. */
export function useFigures(area: Ref<string | null>): Resource<Figures> {
  const figures = useResource(() =>
    take(api.GET('/api/v1/figures', { params: { query: area.value === null ? {} : { area: area.value } } })),
  )
  const soon = useSettled(() => void figures.load(), GAP_MS)
  useLive('case.opened', soon)
  useLive('case.updated', soon)
  useLive('device.presence', soon)
  useLive('node.presence', soon)
  useLive('resync', soon)
  watch(area, () => void figures.load())
  useEach(EACH_MS, () => void figures.load())
  void figures.load()
  return figures
}
