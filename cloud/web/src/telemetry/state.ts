import type { Vocabulary } from '@/locale'

/** Where the words of a point's states are, by the quantity; the first that has the word names it. */
const NAMED: Readonly<Record<string, readonly Vocabulary[]>> = {
  status: ['connectorState'],
  faults: ['fault'],
  firmware_status: ['updateState'],
  diagnostics_status: ['uploadState'],
  stop_reason: ['stopReason', 'fault'],
  security_event: ['securityEvent'],
  plugged: ['plugState'],
  sos: ['callState'],
  reachable: ['lineState'],
}
/** What a terminal or a register says: whatever its point is called, its states have the same few words. */
const PLAIN: readonly Vocabulary[] = ['alarmState', 'plainState']
/** Texts of the device's own, shown as they came: a code `on` is no switch. */
const VERBATIM: ReadonlySet<string> = new Set(['raw_code', 'stop_code', 'firmware', 'charging'])

export interface StateWords {
  name: (vocabulary: Vocabulary, code: string) => string
  has: (vocabulary: Vocabulary, code: string) => boolean
  /** What stands for `none`. */
  nothing: string
}

/** The word of a state for people: several faults stand joined by `+`, `none` is none. What is not known is shown as it came. */
export function stateText(point: string, value: string, words: StateWords): string {
  if (value === 'none') return words.nothing
  const quantity = point.replace(/\.\d+$/, '')
  if (VERBATIM.has(quantity)) return value
  const vocabularies = NAMED[quantity] ?? PLAIN
  const named = value.split('+').map((one) => {
    const vocabulary = vocabularies.find((each) => words.has(each, one))
    return vocabulary === undefined ? null : words.name(vocabulary, one)
  })
  return named.every((one) => one === null) ? value : named.map((one, index) => one ?? value.split('+')[index] ?? '').join(' + ')
}
