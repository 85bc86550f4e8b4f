import { describe, expect, it } from 'vitest'
import type { Artifact, NamedPlan, Rollout, RolloutDetail, RolloutState, StageProgress, StepState } from '@/api/types'
import { en } from '@/locale/en'
import { zh } from '@/locale/zh'
import { compareVersions, isLive, lacking, mayDo, needsReason, newestFirst, reached, reasonOf, segments, stepTone, toneOf, usualPlan } from '@/rollouts/rollouts'

const progress = (counts: Partial<Record<StepState, number>>): StageProgress => {
  const nodes = Object.values(counts).reduce((sum, count) => sum + count, 0)
  return { name: 'all', nodes, counts: counts as StageProgress['counts'], failures: 0 }
}

const artifact = (version: string, id = 1): Artifact => ({
  id,
  kind: 'profile',
  name: 'ocpp16_pile',
  version,
  sha256: '0'.repeat(64),
  size_bytes: 1,
  signed_at: '2026-03-01T08:00:00Z',
  key: '0'.repeat(64),
  added_by: 'keeper',
  added_at: '2026-03-01T08:00:00Z',
  stored_at: '2026-03-01T08:00:00Z',
})

describe('a stage as a bar', () => {
  it('has one piece per tone, in one order, and they fill it', () => {
    const parts = segments(progress({ failed: 1, done: 4, offered: 2, trying: 1, pending: 2 }))
    expect(parts.map((part) => [part.tone, part.nodes])).toEqual([['good', 4], ['busy', 3], ['bad', 1], ['idle', 2]])
    expect(parts.reduce((sum, part) => sum + part.share, 0)).toBeCloseTo(100)
  })

  it('is empty for a stage without nodes', () => {
    expect(segments(progress({}))).toEqual([])
  })
})

describe('a rollout', () => {
  const rollout = { started_by: 'anna', progress: [progress({ done: 2, failed: 1 }), progress({ pending: 3 })] } as unknown as Rollout

  it('says how many nodes run it', () => {
    expect(reached(rollout)).toEqual({ done: 2, nodes: 6 })
  })

  it('is let pass by somebody else than who started it', () => {
    expect(mayDo('approve', rollout, 'anna')).toBe(false)
    expect(mayDo('approve', rollout, 'bert')).toBe(true)
    expect(mayDo('pause', rollout, 'anna')).toBe(true)
  })

  it('asks before what nobody takes back', () => {
    expect((['start', 'pause', 'resume', 'approve', 'roll_back', 'cancel'] as const).filter(needsReason)).toEqual(['roll_back', 'cancel'])
  })

  it('has a word, a tone and an end for each state', () => {
    for (const state of Object.keys(zh.rolloutState) as RolloutState[]) expect(toneOf(state)).toBeTypeOf('string')
    expect((Object.keys(zh.rolloutState) as RolloutState[]).filter(isLive)).toEqual(['running', 'soaking', 'waiting_approval', 'paused', 'rolling_back'])
    for (const state of Object.keys(en.stepState).filter((word) => word !== 'applied') as StepState[]) expect(stepTone(state)).toBeTypeOf('string')
  })
})

describe('why a rollout is where it is', () => {
  const rollout = {
    cause: 'failures',
    reason: '1 of 8 nodes failed in stage early',
    stage: 1,
    plan: { stages: [{ name: 'canary', success_percent: 100 }, { name: 'early', success_percent: 95 }] },
    progress: [progress({ stuck: 1 }), progress({ reverting: 2, reverted: 5 })],
    failures: [{ reason: 'degraded', nodes: 2, example: 'n' }, { reason: 'no_way_back', nodes: 1, example: 'n' }],
  } as unknown as RolloutDetail

  it('is said with its figures, in any language', () => {
    expect(reasonOf(rollout)).toEqual({ cause: 'failures', figures: { stage: 'early', percent: 95, open: 3, failed: 2 } })
    expect(Object.keys(zh.rolloutCause)).toEqual(Object.keys(en.rolloutCause))
  })

  it('is in the words of whoever did it', () => {
    expect(reasonOf({ ...rollout, cause: 'person', reason: 'fire drill' })).toEqual({ words: 'fire drill' })
    expect(reasonOf({ ...rollout, cause: null, reason: null })).toEqual({ words: null })
  })
})

describe('a new rollout', () => {
  const form = { title: 'x', artifact: artifact('1.0.0'), area: null, onlyRunning: false, mayLower: false, plan: { stages: [], patience_s: 1, at_once: 1 } }

  it('names what it lacks, one thing at a time', () => {
    expect(lacking({ ...form, artifact: null, title: '' })).toBe('artifact')
    expect(lacking({ ...form, title: '  ' })).toBe('title')
    expect(lacking({ ...form, plan: null })).toBe('plan')
    expect(lacking(form)).toBeNull()
  })

  it('is careful with models and programs', () => {
    const plans = ['careful', 'quick', 'standard'].map((name) => ({ name }) as NamedPlan)
    expect(usualPlan(plans, 'profile')?.name).toBe('standard')
    expect(usualPlan(plans, 'program')?.name).toBe('careful')
    expect(usualPlan(plans.slice(1, 2), 'model')?.name).toBe('quick')
    expect(usualPlan([...plans, { name: 'piles' } as NamedPlan], 'firmware')?.name).toBe('piles')
    expect(usualPlan([], 'model')).toBeNull()
  })
})

describe('versions', () => {
  it('follow each other as semantic versions do, and what is none stands last', () => {
    const sorted = newestFirst(['1.9.0', '1.10.0', 'odd', '1.10.0-rc.1', '2.0.0'].map((version, id) => artifact(version, id)))
    expect(sorted.map((one) => one.version)).toEqual(['2.0.0', '1.10.0', '1.10.0-rc.1', '1.9.0', 'odd'])
    expect(compareVersions('1.0.0', '1.0.0')).toBe(0)
  })
})
