import { computed, type ComputedRef, ref, type Ref, shallowRef, type ShallowRef } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import type { Command, CommandName } from '@/api/types'
import { useLive } from '@/live/feed'
import { useEach } from '@/time/settle'

/** The live stream tells of each step; this is for the time in which it is away. */
const LOOK_EACH_MS = 3000
const RUNNING = new Set(['queued', 'sent', 'delivered'])

/** Whether the node's last word is still awaited. */
export function isRunning(command: Command | null): boolean {
  return command !== null && RUNNING.has(command.state)
}

export interface Asked {
  command: ShallowRef<Command | null>
  problem: ShallowRef<Problem | null>
  /** The question is on its way to the service; not yet to the node. */
  asking: Ref<boolean>
  running: ComputedRef<boolean>
  /** Asks a node for something and follows it to its end. */
  ask: (question: () => Promise<Command>) => Promise<void>
  /** Follows the newest command of a name that was asked of a node, by whomever; what it brought is shown as long as it is kept. */
  resume: (node: string, name: CommandName, device?: string | null) => Promise<void>
}

/** Something that is asked of a node, from the question to its last word. */
export function useCommand(): Asked {
  const command = shallowRef<Command | null>(null)
  const problem = shallowRef<Problem | null>(null)
  const asking = ref(false)
  const running = computed(() => isRunning(command.value))
  /** Whatever was asked before the last question says nothing any more when it comes. */
  let questions = 0

  async function look(id: string): Promise<void> {
    const mine = questions
    try {
      const found = await take(api.GET('/api/v1/commands/{command_id}', { params: { path: { command_id: id } } }))
      if (mine === questions && command.value?.id === id) command.value = found
    } catch (thrown) {
      if (mine === questions && command.value?.id === id) problem.value = asProblem(thrown)
    }
  }

  async function ask(question: () => Promise<Command>): Promise<void> {
    questions += 1
    const mine = questions
    asking.value = true
    problem.value = null
    try {
      const asked = await question()
      if (mine === questions) command.value = asked
    } catch (thrown) {
      if (mine === questions) problem.value = asProblem(thrown)
    } finally {
      asking.value = false
    }
  }

  async function resume(node: string, name: CommandName, device: string | null = null): Promise<void> {
    questions += 1
    const mine = questions
    try {
      const { items } = await take(api.GET('/api/v1/nodes/{node}/commands', { params: { path: { node }, query: { name } } }))
      if (mine !== questions) return
      const newest = items.find((one) => one.device === device)
      if (newest !== undefined) {
        command.value = newest
        await look(newest.id)
      }
    } catch (thrown) {
      if (mine === questions) problem.value = asProblem(thrown)
    }
  }

  function lookAgain(): void {
    if (command.value !== null && running.value) void look(command.value.id)
  }

  useLive('command.updated', (told) => {
    if (told.id === command.value?.id) void look(told.id)
  })
  useLive('resync', lookAgain)
  useEach(LOOK_EACH_MS, lookAgain)
  return { command, problem, asking, running, ask, resume }
}
