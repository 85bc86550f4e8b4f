import { effectScope } from 'vue'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Command } from '@/api/types'
import { type Asked, useCommand } from '@/commands/command'

const OLD = command({ id: '019530b4-0000-7000-8000-00000000000c', state: 'done', ended_at: '2026-03-01T12:00:01Z' })
const NEW = command({ id: '019530b4-0000-7000-8000-00000000000d', asked_by: 'chief' })
/** What the service was asked for and has not answered yet. */
const waiting: { path: string; answer: (status: number, body: unknown) => void }[] = []
const scope = effectScope()

function command(part: Partial<Command>): Command {
  const times = { asked_at: '2026-03-01T12:00:00Z', deadline: '2026-03-01T12:00:20Z', delivered_at: null, ended_at: null }
  return { id: '', node: 'station-01', device: null, name: 'log_tail', state: 'queued', asked_by: 'keeper', ...times, reason: null, result: null, ...part }
}

function asked(): Asked {
  waiting.length = 0
  vi.stubGlobal('fetch', (request: Request) => {
    const { pathname } = new URL(request.url)
    return new Promise<Response>((resolve) => {
      waiting.push({ path: pathname, answer: (status, body) => { resolve(new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })) } })
    })
  })
  const found = scope.run(() => useCommand())
  if (found === undefined) throw new Error('the scope has ended')
  return found
}

async function answered(status: number, body: unknown): Promise<void> {
  await vi.waitFor(() => expect(waiting.length).toBeGreaterThan(0))
  waiting.shift()?.answer(status, body)
}

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('a question to a node', () => {
  it('is not taken back by what was asked before and is told later', async () => {
    const found = asked()
    const resumed = found.resume('station-01', 'log_tail')
    await found.ask(() => Promise.resolve(NEW))
    await answered(200, { items: [OLD] })
    await resumed
    expect(found.command.value?.id).toBe(NEW.id)
  })

  it('is not taken back by the answer to the one before, nor by its failure', async () => {
    for (const [status, body] of [[200, OLD], [404, {}]] as const) {
      const found = asked()
      const resumed = found.resume('station-01', 'log_tail')
      await answered(200, { items: [OLD] })
      await vi.waitFor(() => expect(waiting.map((one) => one.path)).toEqual([`/api/v1/commands/${OLD.id}`]))
      expect(found.command.value?.id).toBe(OLD.id)
      await found.ask(() => Promise.resolve(NEW))
      await answered(status, body)
      await resumed
      expect(found.command.value?.id).toBe(NEW.id)
      expect(found.problem.value).toBeNull()
    }
  })

  it('about a node is not answered with what was asked of the node before', async () => {
    const found = asked()
    const former = found.resume('station-01', 'log_tail')
    const newer = found.resume('station-02', 'log_tail')
    await vi.waitFor(() => expect(waiting.length).toBe(2))
    waiting.pop()?.answer(200, { items: [NEW] })
    await vi.waitFor(() => expect(waiting.length).toBe(2))
    waiting.pop()?.answer(200, NEW)
    await newer
    await answered(200, { items: [OLD] })
    await former
    expect(found.command.value?.id).toBe(NEW.id)
  })
})
