import { describe, expect, it } from 'vitest'
import { intakeOf, isClear, isStale, lostLately } from '@/nodes/health'
import { ago, health, node, NOW } from '../fakes/nodes'

const dropped = (minutes: number) => [{ device: 'pile-1', reason: 'quota' as const, count: 3, from_at: ago(minutes + 5), to_at: ago(minutes) }]
const letters = (minutes: number) => [{ subject: 'incident', reason: 'data', count: 1, first_at: ago(minutes), last_at: ago(minutes) }]

describe('the word of a node', () => {
  it('is stale after five minutes', () => {
    expect(isStale(ago(4), NOW)).toBe(false)
    expect(isStale(ago(6), NOW)).toBe(true)
  })

  it('tells that nothing waits only when nothing at all does', () => {
    expect(isClear(health())).toBe(true)
    for (const waiting of [{ readings: 1 }, { incidents: 1 }, { messages: 1 }, { unsaved: 1 }]) expect(isClear(health({ backlog: waiting }))).toBe(false)
    expect(isClear(health({ evidence: { files: 1 } }))).toBe(false)
  })

  it('alarms for what was lost within a day, not for history', () => {
    expect(lostLately(health({ dropped: dropped(60) }), NOW)).toBe(true)
    expect(lostLately(health({ dead_letters: letters(60) }), NOW)).toBe(true)
    expect(lostLately(health({ dropped: dropped(25 * 60), dead_letters: letters(25 * 60) }), NOW)).toBe(false)
    expect(lostLately(health({ dropped: dropped(25 * 60), lost_at: ago(60) }), NOW)).toBe(true)
    expect(lostLately(health({ dropped: dropped(50 * 60), lost_at: ago(25 * 60) }), NOW)).toBe(false)
  })
})

describe('is everything kept?', () => {
  const refusals = { refused: [], waiting: [], kept: [] }
  const verdict = (...told: Parameters<typeof node>[0][]): string => intakeOf(told.map((one) => node(one)), refusals, NOW).verdict

  it('is, when every node says so', () => {
    expect(verdict(health(), health({ backlog: { readings: 12 } }))).toBe('kept')
  })

  it('is not known when no node ever told', () => {
    expect(verdict(null)).toBe('unknown')
  })

  it('waits for a full outbox, for a node that fell silent, for incidents in memory and for the quarantine', () => {
    expect(verdict(health({ backlog: { level: 'warning' } }))).toBe('waiting')
    expect(verdict(health(), health({ told_at: ago(30) }))).toBe('waiting')
    expect(verdict(health({ backlog: { unsaved: 1 } }))).toBe('waiting')
    const waiting = [{ node: 'x', reason: 'unknown_node', messages: 4, size_bytes: 9, oldest_at: ago(1) }]
    expect(intakeOf([node(health())], { ...refusals, waiting }, NOW)).toMatchObject({ verdict: 'waiting', quarantine: 4 })
  })

  it('is not, when a node dropped readings or the service refused messages lately', () => {
    expect(verdict(health({ dropped: dropped(60) }))).toBe('lost')
    const refused = [{ node: null, reason: 'malformed', count: 2, first_at: ago(9), last_at: ago(1), last_detail: '' }]
    expect(intakeOf([node(health())], { ...refusals, refused }, NOW).verdict).toBe('lost')
    expect(intakeOf([node(health())], { ...refusals, refused: refused.map((one) => ({ ...one, last_at: ago(25 * 60) })) }, NOW).verdict).toBe('kept')
  })

  it('loses nothing of its own when an operator discards what strangers sent', () => {
    const discarded = { node: null, reason: 'discarded', count: 2, first_at: ago(9), last_at: ago(1), last_detail: '' }
    expect(intakeOf([node(health())], { ...refusals, refused: [discarded] }, NOW)).toMatchObject({ verdict: 'kept', refused: 0 })
    expect(intakeOf([node(health())], { ...refusals, refused: [{ ...discarded, node: 'station-01' }] }, NOW).verdict).toBe('lost')
  })

  it('sums up what waits in nodes that told lately', () => {
    const nodes = [node(health({ backlog: { readings: 5 } })), node(health({ backlog: { readings: 9 }, told_at: ago(60) })), node(null)]
    expect(intakeOf(nodes, null, NOW)).toMatchObject({ queued: 5, silent: 2 })
  })
})
