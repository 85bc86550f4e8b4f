import type { ShiftRecord } from '@/api/types'

/** What a record says of one kind of thing: how many there are, and the first of them. */
export interface Section {
  key: string
  together: number
  items: readonly Record<string, unknown>[]
}

const SECTIONS = ['pressing', 'whistles', 'drills', 'machines', 'warnings'] as const

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** The sections of a record in their order; one that a record of before does not have is empty. */
export function sectionsOf(contents: Record<string, unknown>): Section[] {
  return SECTIONS.map((key) => {
    const told = contents[key]
    if (!isObject(told)) return { key, together: 0, items: [] }
    const items = Array.isArray(told['items']) ? told['items'].filter(isObject) : []
    return { key, together: count(told['together']), items }
  })
}

/** How many cases were open, and of the pressing ones how many of each kind. */
export function countsOf(contents: Record<string, unknown>): Record<'open' | 'red' | 'amber' | 'urged' | 'promised', number> {
  const open = isObject(contents['open']) ? contents['open'] : {}
  const pressing = isObject(contents['pressing']) ? contents['pressing'] : {}
  return {
    open: count(open['together']),
    red: count(pressing['red']),
    amber: count(pressing['amber']),
    urged: count(pressing['urged']),
    promised: count(pressing['promised']),
  }
}

/** The record that the address names; a part of it that is left out is an empty word. */
export function recordIn(part: unknown): number | null {
  return typeof part === 'string' && part !== '' ? Number(part) : null
}

/** Where a record stands. */
export function stateOf(record: ShiftRecord): 'drawn' | 'given' | 'confirmed' {
  if (record.taken_at !== null) return 'confirmed'
  return record.given_at === null ? 'drawn' : 'given'
}
