import type { Advice, Candidate, Share } from '@/api/types'

/** How much is known of a share, in no more digits than it has: so many of so many where they are few. */
export function shareText(share: Share): string {
  if (share.whole === 0) return '–'
  if (share.few) return `${String(share.part)}/${String(share.whole)}`
  return `${percent(share.part / share.whole)}`
}

export function percent(part: number): string {
  return `${String(Math.round(part * 100))} %`
}

/** Where the interval stands on a line from 0 to 100: its beginning, its length, and the point. */
export function bar(share: Share): { left: string; width: string; point: string | null } {
  const at = (part: number): string => `${(part * 100).toFixed(1)}%`
  return {
    left: at(share.low),
    width: at(share.high - share.low),
    point: share.whole === 0 ? null : at(share.part / share.whole),
  }
}

/** The most frequent first. */
export function ranked(reasons: Record<string, number>): [string, number][] {
  return Object.entries(reasons).sort(([one, few], [other, many]) => many - few || one.localeCompare(other))
}

/** A threshold that may be proposed: it would have lost nothing that was high or critical, and it saves something. */
export function proposable(candidate: Candidate): boolean {
  return candidate.lost_severe === 0 && candidate.saved.part > 0
}

/** The true alarms that a threshold would have lost. */
export function lostBy(advice: Advice, threshold: number): Advice['true_alarms'] {
  return advice.true_alarms.filter((one) => (advice.side === 'above' ? one.reach < threshold : one.reach > threshold))
}

/** Hours that follow each other as one: `0–5`, `22–23`. */
export function hourSpans(hours: readonly number[]): string {
  const spans: [number, number][] = []
  for (const hour of [...hours].sort((one, other) => one - other)) {
    const last = spans.at(-1)
    if (last !== undefined && last[1] === hour - 1) last[1] = hour
    else spans.push([hour, hour])
  }
  return spans.map(([from, to]) => `${String(from)}–${String(to + 1)}`).join(', ')
}

export function figureOf(value: number): string {
  return String(Math.round(value * 1000) / 1000)
}
