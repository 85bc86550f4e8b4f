import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CaseSummary } from '@/api/types'
import { LIVE_NAMES } from '@/live/event'
import { LiveStream, SILENCE_MS, type StreamView } from '@/live/stream'
import { someCase } from '../fakes/cases'
import { LiveService } from '../fakes/live_service'

let service: LiveService
let stream: LiveStream
let views: StreamView[]
let opened: CaseSummary[]
let resyncs: number
let signedOut: number
let others: number

const view = (): StreamView => views.at(-1) ?? { state: 'connecting', heardAt: null, unreadable: 0 }
/** Lets what was sent arrive; moves the clock by a given time. */
const pass = (ms = 0): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

async function live(cursor = '10'): Promise<void> {
  stream.start()
  await pass()
  service.last.event('hello', {}, cursor)
  await pass()
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  service = new LiveService()
  views = []
  opened = []
  resyncs = 0
  signedOut = 0
  others = 0
  stream = new LiveStream({
    url: '/api/v1/live',
    fetch: service.fetch,
    jitter: () => 1,
    onView: (change) => views.push(change),
    onSignedOut: () => { signedOut += 1 },
    onOtherScope: () => { others += 1 },
  })
  stream.on('case.opened', (summary) => opened.push(summary))
  stream.on('resync', () => { resyncs += 1 })
})

afterEach(() => {
  stream.stop()
  vi.useRealTimers()
})

describe('LiveStream', () => {
  it('is live after the hello and asks everyone to load once', async () => {
    await live()
    expect(view().state).toBe('live')
    expect(resyncs).toBe(1)
  })

  it('says when the person sees other things than before, and only then', async () => {
    await live()
    for (const [who, times] of [['a', 0], ['a', 0], ['b', 1], ['b', 1]] as const) {
      service.last.event('hello', { who }, '10')
      await pass()
      expect(others).toBe(times)
    }
  })

  it('has listeners for every event that it knows', () => {
    for (const name of LIVE_NAMES) expect(() => stream.on(name, () => undefined)).not.toThrow()
  })

  it('hands out events until the listener leaves', async () => {
    await live()
    const leave = stream.on('case.updated', (summary) => opened.push(summary))
    service.last.event('case.opened', someCase(1), '11')
    service.last.event('case.updated', someCase(2), '12')
    await pass()
    leave()
    service.last.event('case.updated', someCase(3), '13')
    await pass()
    expect(opened.map((summary) => summary.id)).toEqual([1, 2])
  })

  it('resumes after its last event without loading again', async () => {
    await live()
    service.last.event('case.opened', someCase(1), '11')
    await pass()
    service.last.end()
    await pass()
    expect(view().state).toBe('reconnecting')
    await pass(600)
    expect(service.connections).toHaveLength(2)
    expect(service.last.lastEventId).toBe('11')
    service.last.event('hello', {}, '15')
    service.last.event('case.opened', someCase(2), '12')
    await pass()
    expect(view().state).toBe('live')
    expect(resyncs).toBe(1)
  })

  it('does not take the cursor of a resumed hello for its own: what lies between is still owed', async () => {
    await live()
    service.last.end()
    await pass(600)
    service.last.event('hello', {}, '15')
    await pass()
    service.last.end()
    await pass(600)
    expect(service.last.lastEventId).toBe('10')
  })

  it('asks everyone to load after a reset', async () => {
    await live()
    service.last.event('reset', {}, '90')
    await pass()
    expect(resyncs).toBe(2)
    service.last.end()
    await pass(600)
    expect(service.last.lastEventId).toBe('90')
  })

  it('counts heartbeats as life and gives up a silent connection', async () => {
    await live()
    for (let beat = 0; beat < 10; beat += 1) {
      await pass(15_000)
      service.last.send(': heartbeat\n\n')
      await pass()
    }
    expect(service.connections).toHaveLength(1)
    expect(view().heardAt).toBe(1_000_000 + 150_000)
    await pass(SILENCE_MS + 1000)
    expect(service.connections[0]?.aborted).toBe(true)
    expect(service.connections).toHaveLength(2)
  })

  it('keeps trying with growing waits while the service is away, and at once when asked', async () => {
    await live()
    service.answer = 'away'
    service.last.end()
    await pass(60_000)
    expect(view().state).toBe('reconnecting')
    service.answer = 200
    stream.retry()
    await pass()
    expect(service.connections).toHaveLength(2)
  })

  it('tries again after a refusal of a proxy', async () => {
    service.answer = 502
    stream.start()
    await pass()
    expect(view().state).toBe('connecting')
    service.answer = 200
    await pass(600)
    service.last.event('hello', {}, '1')
    await pass()
    expect(view().state).toBe('live')
  })

  it('ends with the session and says so once', async () => {
    service.answer = 401
    stream.start()
    await pass(60_000)
    expect(signedOut).toBe(1)
    expect(service.connections).toHaveLength(1)
    expect(view().state).toBe('ended')
  })

  it('survives what it can’t read', async () => {
    await live()
    service.last.send('id: 11\nevent: case.opened\ndata: {broken\n\n')
    service.last.event('firmware.ring', { a: 1 }, '12')
    service.last.event('case.opened', someCase(4), '13')
    await pass()
    expect(view().unreadable).toBe(1)
    expect(opened.map((summary) => summary.id)).toEqual([4])
  })

  it('keeps one connection through a quick stop and start', async () => {
    await live()
    stream.stop()
    stream.start()
    await pass(30_000)
    expect(service.connections.filter((connection) => !connection.aborted)).toHaveLength(1)
    expect(service.last.lastEventId).toBeNull()
  })
})
