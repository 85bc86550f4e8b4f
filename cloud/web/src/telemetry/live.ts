import { computed, onScopeDispose, ref, watch, type ComputedRef, type Ref } from 'vue'
import { api, take } from '@/api/client'
import { type Resource, useResource } from '@/api/resource'
import type { Series } from '@/api/types'
import { useLive } from '@/live/feed'
import { extended } from './curve'
import { type Range, RANGES } from './range'

export interface LiveSeries extends Resource<Series> {
  from: ComputedRef<number>
  to: Ref<number>
}

/** The series of a point that ends now: raw readings are appended as they come, sums are asked for again. */
export function useLiveSeries(deviceId: Ref<number>, point: Ref<string>, range: Ref<Range>): LiveSeries {
  const to = ref(Date.now())
  const from = computed(() => to.value - RANGES[range.value].span)

  const series = useResource(() => {
    to.value = Date.now()
    const query = { from: new Date(from.value).toISOString(), to: new Date(to.value).toISOString() }
    const path = { device_id: deviceId.value, point: point.value }
    return take(api.GET('/api/v1/devices/{device_id}/points/{point}/series', { params: { path, query } }))
  })

  useLive('device.readings', ({ readings }) => {
    const told = readings.find((one) => one.device_id === deviceId.value && one.point === point.value)
    if (told === undefined || typeof told.value !== 'number' || series.data.value?.point !== point.value) return
    if (series.data.value.step !== 'raw') return
    to.value = Math.max(Date.now(), Date.parse(told.observed_at))
    series.data.value = extended(series.data.value, told.observed_at, told.value, from.value)
  })
  useLive('resync', () => void series.load())

  let timer: ReturnType<typeof setInterval> | undefined
  watch(
    [deviceId, point, range],
    () => {
      series.data.value = null
      clearInterval(timer)
      timer = setInterval(() => void series.load(), RANGES[range.value].again)
      void series.load()
    },
    { immediate: true },
  )
  onScopeDispose(() => { clearInterval(timer) })
  return { ...series, from, to }
}
