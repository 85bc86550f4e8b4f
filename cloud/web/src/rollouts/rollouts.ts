import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Artifact, NamedPlan, Ring, Rollout, RolloutAction, RolloutCause, RolloutDetail, RolloutPlan, RolloutState, StageProgress, StepState } from '@/api/types'

/** What a state means at a glance. */
export type Tone = 'good' | 'busy' | 'wait' | 'bad' | 'idle'

const TONES: Record<RolloutState, Tone> = {
  draft: 'idle',
  running: 'busy',
  soaking: 'busy',
  waiting_approval: 'wait',
  paused: 'wait',
  rolling_back: 'bad',
  rolled_back: 'bad',
  done: 'good',
  failed: 'bad',
  cancelled: 'idle',
}

export function toneOf(state: RolloutState): Tone {
  return TONES[state]
}

const STEP_TONES: Record<StepState, Tone> = {
  pending: 'idle',
  offered: 'busy',
  absent: 'wait',
  fetching: 'busy',
  trying: 'busy',
  announced: 'busy',
  done: 'good',
  skipped: 'idle',
  refused: 'bad',
  failed: 'bad',
  rolled_back: 'bad',
  timed_out: 'bad',
  cancelled: 'idle',
  superseded: 'idle',
  reverting: 'wait',
  reverted: 'idle',
  stuck: 'bad',
}

export function stepTone(state: StepState): Tone {
  return STEP_TONES[state]
}

/** In the order in which a bar shows them: what is reached first, then what is under way, what went wrong, what has not begun. */
const ORDER: Tone[] = ['good', 'busy', 'wait', 'bad', 'idle']

export interface Segment {
  tone: Tone
  nodes: number
  share: number
  states: [StepState, number][]
}

/** The nodes of a stage as pieces of a bar; pieces of one tone are one piece. */
export function segments(progress: StageProgress): Segment[] {
  const told = Object.entries(progress.counts) as [StepState, number][]
  return ORDER.map((tone) => {
    const states = told.filter(([state, nodes]) => nodes > 0 && stepTone(state) === tone)
    const nodes = states.reduce((sum, [, count]) => sum + count, 0)
    return { tone, nodes, share: progress.nodes === 0 ? 0 : (100 * nodes) / progress.nodes, states }
  }).filter((segment) => segment.nodes > 0)
}

/** Nodes that are known to run it and to be well, of all. */
export function reached(rollout: Rollout): { done: number; nodes: number } {
  return {
    done: rollout.progress.reduce((sum, stage) => sum + (stage.counts.done ?? 0), 0),
    nodes: rollout.progress.reduce((sum, stage) => sum + stage.nodes, 0),
  }
}

const LIVE = new Set<RolloutState>(['running', 'soaking', 'waiting_approval', 'paused', 'rolling_back'])

export function isLive(state: RolloutState): boolean {
  return LIVE.has(state)
}

/** Why a rollout is where it is: in the words of a person, or as a cause with the figures that belong to it. */
export function reasonOf(rollout: RolloutDetail): { words: string | null } | { cause: Exclude<RolloutCause, 'person'>; figures: Record<string, number | string> } {
  if (rollout.cause === null || rollout.cause === 'person') return { words: rollout.reason }
  const stage = rollout.plan.stages[rollout.stage]
  const open = (['reverting', 'stuck'] as const).reduce((sum, state) => sum + rollout.progress.reduce((count, each) => count + (each.counts[state] ?? 0), 0), 0)
  const failed = rollout.failures.filter((failure) => failure.reason !== 'no_way_back').reduce((sum, failure) => sum + failure.nodes, 0)
  return { cause: rollout.cause, figures: { stage: stage?.name ?? '', percent: stage?.success_percent ?? 0, open, failed } }
}

/** Those that nobody takes back with another click are asked about first. */
export function needsReason(action: RolloutAction): boolean {
  return action === 'roll_back' || action === 'cancel'
}

/** Whether a person may do it: whoever started a rollout can't let it pass himself. */
export function mayDo(action: RolloutAction, rollout: Rollout, user: string): boolean {
  return action !== 'approve' || rollout.started_by !== user
}

export interface NewRollout {
  title: string
  artifact: Artifact | null
  area: string | null
  onlyRunning: boolean
  mayLower: boolean
  plan: RolloutPlan | null
}

/** What still lacks before a draft can be kept; null when nothing does. */
export function lacking(form: NewRollout): 'artifact' | 'title' | 'plan' | null {
  if (form.artifact === null) return 'artifact'
  if (form.title.trim() === '') return 'title'
  return form.plan === null ? 'plan' : null
}

/** The versions in the order in which they follow each other, the newest first; what is none stands last. */
export function newestFirst(artifacts: readonly Artifact[]): Artifact[] {
  return [...artifacts].sort((one, other) => compareVersions(other.version, one.version) || other.id - one.id)
}

export function compareVersions(one: string, other: string): number {
  const [mine, theirs] = [numbers(one), numbers(other)]
  for (const index of [0, 1, 2]) {
    const difference = (mine[index] ?? -1) - (theirs[index] ?? -1)
    if (difference !== 0) return difference
  }
  // A release comes after all that precedes it.
  const [minePre, theirsPre] = [one.includes('-'), other.includes('-')]
  return minePre === theirsPre ? one.localeCompare(other) : minePre ? -1 : 1
}

function numbers(version: string): number[] {
  const match = /^(\d+)\.(\d+)\.(\d+)(?:-|$)/.exec(version)
  return match === null ? [] : match.slice(1, 4).map(Number)
}

/** What a plan is for: the careful one where the node's own software or a model changes, that of piles for their firmware. */
export function usualPlan(plans: readonly NamedPlan[], kind: string): NamedPlan | null {
  const wanted = { profile: 'standard', firmware: 'piles' }[kind] ?? 'careful'
  return plans.find((plan) => plan.name === wanted) ?? plans[0] ?? null
}

export const RINGS: Ring[] = ['canary', 'early', 'broad']

export interface Acting {
  busy: Ref<boolean>
  problem: ShallowRef<Problem | null>
  act: (id: string, action: RolloutAction, reason: string | null) => Promise<RolloutDetail | null>
}

/** Actions of a person, one at a time. */
export function useActing(): Acting {
  const busy = ref(false)
  const problem = shallowRef<Problem | null>(null)

  async function act(id: string, action: RolloutAction, reason: string | null): Promise<RolloutDetail | null> {
    busy.value = true
    problem.value = null
    try {
      return await take(api.POST('/api/v1/rollouts/{rollout_id}/actions', { params: { path: { rollout_id: id } }, body: { action, reason } }))
    } catch (thrown) {
      problem.value = asProblem(thrown)
      return null
    } finally {
      busy.value = false
    }
  }

  return { busy, problem, act }
}

/** Registers a signed file and sends its bytes. Throws a `Problem`. */
export async function bring(file: File, signature: File): Promise<Artifact> {
  let statement: unknown
  try {
    statement = JSON.parse(await signature.text())
  } catch {
    throw new SyntaxError('signature')
  }
  const made = await take(api.POST('/api/v1/artifacts', { body: statement as never }))
  if (made.stored_at === null) {
    await take(
      api.PUT('/api/v1/artifacts/{sha256}', {
        params: { path: { sha256: made.sha256 } },
        body: file as never,
        bodySerializer: (body: unknown) => body as File,
        headers: { 'Content-Type': 'application/octet-stream' },
      } as never),
    )
  }
  return made
}

