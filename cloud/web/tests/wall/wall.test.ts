import { effectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { kept, MOST_CAMERAS, useWall } from '@/wall/wall'

const asked: string[] = []

function camera(id: number): Record<string, unknown> {
  return { id, node: 'n', device: `cam-${String(id)}`, name: `Camera ${String(id)}`, spot: null, area: null, simulated: false, presence: 'online', state: 'waiting', reason: null, lease_until: null, captured_at: null, url: null }
}

function hide(hidden: boolean): void {
  Object.defineProperty(document, 'hidden', { configurable: true, value: hidden })
  document.dispatchEvent(new Event('visibilitychange'))
}

beforeEach(() => {
  vi.useFakeTimers()
  asked.length = 0
  globalThis.sessionStorage.clear()
  vi.stubGlobal('fetch', (request: Request) => {
    asked.push(`${request.method} ${new URL(request.url).pathname}`)
    if (request.method === 'DELETE') return Promise.resolve(new Response(null, { status: 204 }))
    return Promise.resolve(Response.json({ items: [camera(2), camera(1)], next: null, lease_s: 45 }))
  })
})

afterEach(() => {
  hide(false)
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('the wall of a page', () => {
  it('asks for nothing until somebody has chosen, then renews and looks again and again', async () => {
    const scope = effectScope()
    const found = scope.run(() => useWall())
    await vi.advanceTimersByTimeAsync(30_000)
    expect(asked).toEqual([])
    found?.choose({ cameras: [1, 2], purpose: 'rounds' })
    await vi.advanceTimersByTimeAsync(100)
    expect(asked).toEqual(['POST /api/v1/wall/leases'])
    expect(found?.wall.tiles.map((one) => one.id)).toEqual([1, 2])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(asked.filter((one) => one.startsWith('POST')).length).toBe(2)
    expect(asked.filter((one) => one === 'GET /api/v1/wall').length).toBeGreaterThanOrEqual(4)
    scope.stop()
    await vi.advanceTimersByTimeAsync(100)
    expect(asked.at(-1)).toBe('DELETE /api/v1/wall/leases')
    const before = asked.length
    await vi.advanceTimersByTimeAsync(60_000)
    expect(asked.length).toBe(before)
  })

  it('rests while the page is hidden, so that the leases run out, and goes on at once when it is seen', async () => {
    const scope = effectScope()
    const found = scope.run(() => useWall())
    found?.choose({ cameras: [1], purpose: 'rounds' })
    await vi.advanceTimersByTimeAsync(100)
    hide(true)
    expect(found?.wall.paused).toBe(true)
    const before = asked.length
    await vi.advanceTimersByTimeAsync(120_000)
    expect(asked.length).toBe(before)
    hide(false)
    await vi.advanceTimersByTimeAsync(10)
    expect(asked.slice(before)).toEqual(['POST /api/v1/wall/leases'])
    scope.stop()
  })

  it('is found again after a reload, as far as it makes sense', () => {
    expect(kept()).toEqual({ cameras: [], purpose: '' })
    for (const nonsense of ['{', 'null', '[]', '{"cameras": 1, "purpose": "x"}', '{"cameras": [], "purpose": 1}']) {
      globalThis.sessionStorage.setItem('gridward.wall', nonsense)
      expect(kept()).toEqual({ cameras: [], purpose: '' })
    }
    globalThis.sessionStorage.setItem('gridward.wall', JSON.stringify({ cameras: [3, 'x', 1.5, ...Array.from({ length: 40 }, (_, at) => at + 10)], purpose: 'rounds' }))
    const found = kept()
    expect(found.cameras.length).toBe(MOST_CAMERAS)
    expect(found.cameras[0]).toBe(3)
  })
})
