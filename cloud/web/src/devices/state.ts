import type { Vocabulary } from '@/locale'

/** Points whose words have names, by the quantity. */
const NAMED: Readonly<Record<string, Vocabulary>> = {
  status: 'connectorState',
  faults: 'fault',
  firmware_status: 'updateState',
  stop_reason: 'stopReason',
  plugged: 'plugState',
  smoke: 'alarmState',
  gas: 'alarmState',
  water: 'alarmState',
  tamper: 'alarmState',
  door_held_open: 'alarmState',
  sos: 'callState',
  reachable: 'lineState',
}

/** The word of a state for people: faults stand joined by `+`, `none` is none. What is not known is shown as it came. */
export function stateText(point: string, value: string, name: (vocabulary: Vocabulary, code: string) => string, nothing: string): string {
  if (value === 'none') return nothing
  const quantity = point.replace(/\.\d+$/, '')
  const vocabulary = NAMED[quantity]
  if (vocabulary === undefined) return value
  return value.split('+').map((one) => name(vocabulary, one)).join(' + ')
}
