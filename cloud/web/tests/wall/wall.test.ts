import { effectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { session } from '@/session/session'
import { kept, MOST_CAMERAS, useWall } from '@/wall/wall'

const asked: string[] = []
const bodies: { cameras: number[]; page: string }[] = []
/** What of the cameras the service finds. */
let there: number[] = []
const ended: string[] = []

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
  bodies.length = 0
  there = [2, 1]
  globalThis.sessionStorage.clear()
  vi.stubGlobal('fetch', async (request: Request) => {
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/api/v1/session') {
      const { name } = (await request.json()) as { name: string }
      return Response.json({ user: { id: Number(name), name, display_name: name, role: 'duty_chief', area: null } })
    }
    asked.push(`${request.method} ${pathname}`)
    if (request.method === 'DELETE') {
      ended.push(searchParams.get('page') ?? '')
      return new Response(null, { status: 204 })
    }
    const body = request.method === 'POST' ? ((await request.json()) as (typeof bodies)[number]) : null
    if (body !== null) bodies.push(body)
    if (body !== null && !body.cameras.some((id) => there.includes(id))) {
      return new Response(JSON.stringify({ title: 'NotFound' }), { status: 404, headers: { 'content-type': 'application/problem+json' } })
    }
    return Response.json({ items: there.map(camera), next: null, lease_s: 45 })
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

  it('asks no more for a camera that is gone, and goes on with the others', async () => {
    const scope = effectScope()
    const found = scope.run(() => useWall())
    there = [1]
    found?.choose({ cameras: [1, 7], purpose: 'rounds' })
    await vi.advanceTimersByTimeAsync(100)
    expect(found?.wall.chosen).toEqual({ cameras: [1], purpose: 'rounds' })
    expect(found?.wall.tiles.map((one) => one.id)).toEqual([1])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(bodies.at(-1)?.cameras).toEqual([1])
    there = []
    await vi.advanceTimersByTimeAsync(10_000)
    expect(found?.wall.chosen.cameras).toEqual([])
    expect(found?.wall.problem?.kind).toBe('missing')
    const before = asked.length
    await vi.advanceTimersByTimeAsync(30_000)
    expect(asked.length).toBe(before)
    scope.stop()
  })

  it('says that the leases were not renewed until they are, whatever is looked up meanwhile', async () => {
    const answer = globalThis.fetch as unknown as (request: Request) => Promise<Response>
    let full = true
    vi.stubGlobal('fetch', (request: Request) => (full && request.method === 'POST' ? Promise.resolve(new Response('{}', { status: 409 })) : answer(request)))
    const scope = effectScope()
    const found = scope.run(() => useWall())
    full = false
    found?.choose({ cameras: [1], purpose: 'rounds' })
    await vi.advanceTimersByTimeAsync(100)
    full = true
    await vi.advanceTimersByTimeAsync(10_000)
    for (let looked = 0; looked < 4; looked += 1) {
      expect(found?.wall.problem?.kind).toBe('conflict')
      await vi.advanceTimersByTimeAsync(2000)
    }
    full = false
    await vi.advanceTimersByTimeAsync(10_000)
    expect(found?.wall.problem).toBeNull()
    scope.stop()
  })

  it('has leases of its own in each window', async () => {
    const scopes = [effectScope(), effectScope()]
    for (const scope of scopes) scope.run(() => useWall())?.choose({ cameras: [1], purpose: 'rounds' })
    await vi.advanceTimersByTimeAsync(100)
    const [one, other] = bodies.map((body) => body.page)
    expect(one).toMatch(/^[0-9a-z]{24}$/)
    expect(other).not.toBe(one)
    scopes[0]?.stop()
    await vi.advanceTimersByTimeAsync(100)
    expect(ended.at(-1)).toBe(one)
    scopes[1]?.stop()
  })

  it('is not handed on to who signs in next', async () => {
    await session.signIn('7', 'a password')
    let scope = effectScope()
    scope.run(() => useWall())?.choose({ cameras: [1], purpose: 'rounds' })
    scope.stop()
    await session.signIn('8', 'a password')
    scope = effectScope()
    expect(scope.run(() => useWall())?.wall.chosen).toEqual({ cameras: [], purpose: '' })
    scope.stop()
    await session.signIn('7', 'a password')
    scope = effectScope()
    expect(scope.run(() => useWall())?.wall.chosen).toEqual({ cameras: [1], purpose: 'rounds' })
    scope.stop()
  })

  it('is found again after a reload, as far as it makes sense', () => {
    expect(kept(7)).toEqual({ cameras: [], purpose: '' })
    for (const nonsense of ['{', 'null', '[]', '{"user": 7, "cameras": 1, "purpose": "x"}', '{"user": 7, "cameras": [], "purpose": 1}', '{"cameras": [1], "purpose": "x"}']) {
      globalThis.sessionStorage.setItem('gridward.wall', nonsense)
      expect(kept(7)).toEqual({ cameras: [], purpose: '' })
    }
    globalThis.sessionStorage.setItem('gridward.wall', '{"user": null, "cameras": [1], "purpose": "x"}')
    expect(kept(null)).toEqual({ cameras: [], purpose: '' })
    globalThis.sessionStorage.setItem('gridward.wall', JSON.stringify({ user: 7, cameras: [3, 'x', 1.5, ...Array.from({ length: 40 }, (_, at) => at + 10)], purpose: 'rounds' }))
    const found = kept(7)
    expect(found.cameras.length).toBe(MOST_CAMERAS)
    expect(found.cameras[0]).toBe(3)
  })
})
