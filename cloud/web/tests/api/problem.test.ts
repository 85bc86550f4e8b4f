import { describe, expect, it } from 'vitest'
import { asProblem, Problem, problemFrom } from '@/api/problem'

const answer = (status: number, headers: Record<string, string> = {}): Response => new Response(null, { status, headers })

describe('problemFrom', () => {
  it('reads a problem of the service', () => {
    const problem = problemFrom(answer(409), { title: 'Changed meanwhile', detail: 'version 3 is newer', status: 409 })
    expect(problem).toMatchObject({ kind: 'conflict', status: 409, message: 'Changed meanwhile', detail: 'version 3 is newer' })
  })

  it('sorts by what can be done about it', () => {
    const kinds = [401, 403, 404, 409, 422, 423, 429, 500, 503].map((status) => problemFrom(answer(status), null).kind)
    expect(kinds).toEqual(['signed-out', 'forbidden', 'missing', 'conflict', 'invalid', 'locked', 'locked', 'unavailable', 'unavailable'])
  })

  it('reads how long a lock-out lasts', () => {
    expect(problemFrom(answer(429, { 'retry-after': '300' }), {}).retryAfterS).toBe(300)
    expect(problemFrom(answer(429, { 'retry-after': 'tomorrow' }), {}).retryAfterS).toBeNull()
  })

  it('copes with a proxy’s page', () => {
    expect(problemFrom(answer(502), '<html>').message).not.toBe('')
  })
})

describe('asProblem', () => {
  it('knows that a failed fetch means no answer', () => {
    expect(asProblem(new TypeError('Failed to fetch')).kind).toBe('offline')
  })

  it('keeps a problem and wraps the rest', () => {
    const problem = new Problem('missing', 404, 'no', null, null)
    expect(asProblem(problem)).toBe(problem)
    expect(asProblem('odd').kind).toBe('unexpected')
  })
})
