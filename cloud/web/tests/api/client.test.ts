import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { api, CSRF_HEADER, onSignedOut, take } from '@/api/client'
import { asProblem } from '@/api/problem'

let asked: Request[]
let reply: () => Response

beforeEach(() => {
  asked = []
  vi.stubGlobal('fetch', (request: Request) => {
    asked.push(request)
    return Promise.resolve(reply())
  })
})
afterEach(() => { vi.unstubAllGlobals() })

const json = (status: number, body: unknown): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

describe('the client', () => {
  it('marks unsafe requests against forgery, and only those', async () => {
    reply = () => json(200, {})
    await take(api.POST('/api/v1/session', { body: { name: 'a', password: 'b' } }))
    await take(api.GET('/api/v1/figures'))
    expect(asked.map((request) => request.headers.get(CSRF_HEADER))).toEqual(['1', null])
  })

  it('throws the service’s problem', async () => {
    reply = () => json(409, { title: 'Changed', detail: 'newer' })
    const problem = await take(api.GET('/api/v1/figures')).catch(asProblem)
    expect(problem).toMatchObject({ kind: 'conflict', detail: 'newer' })
  })

  it('tells the page when the session has ended', async () => {
    const told = vi.fn()
    onSignedOut(told)
    reply = () => json(401, { title: 'Not signed in' })
    await take(api.GET('/api/v1/figures')).catch(asProblem)
    expect(told).toHaveBeenCalledOnce()
  })

  it('gives nothing for an empty answer', async () => {
    reply = () => new Response(null, { status: 204, headers: { 'content-length': '0' } })
    await expect(take(api.DELETE('/api/v1/session'))).resolves.toBeUndefined()
  })
})
