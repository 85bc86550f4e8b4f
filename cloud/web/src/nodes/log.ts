import { timeIn } from '@/time/format'

/** A line of a node's log, as it told it. */
export interface LogLine {
  at: string | null
  level: string | null
  text: string
}

export const LEVELS = ['info', 'warning', 'error'] as const
export const COUNTS = [100, 300, 1000] as const

/** The lines in an answer. What a node says is looked at before it is believed: its version may be any. */
export function linesOf(result: Record<string, unknown> | null | undefined): LogLine[] {
  const lines: unknown = result?.['lines']
  if (!Array.isArray(lines)) return []
  return lines.flatMap((one: unknown) => {
    if (typeof one !== 'object' || one === null) return []
    const { at, level, text } = one as Record<string, unknown>
    return typeof text === 'string' ? [{ at: timeIn(at), level: typeof level === 'string' ? level : null, text }] : []
  })
}

/** The lines as text, to be pasted into a letter. */
export function asText(lines: readonly LogLine[]): string {
  return lines.map((line) => [line.at, line.level === null ? null : `[${line.level}]`, line.text].filter((part) => part !== null).join(' ')).join('\n')
}
