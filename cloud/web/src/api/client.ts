import createClient, { type Middleware } from 'openapi-fetch'
import { asProblem, problemFrom } from './problem'
import type { paths } from './schema'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** A cross-site form can't set this header; the service asks for it wherever a cookie signs the request. */
export const CSRF_HEADER = 'X-Gridward-CSRF'

const csrf: Middleware = {
  onRequest({ request }) {
    if (!SAFE.has(request.method)) request.headers.set(CSRF_HEADER, '1')
    return request
  },
}

let signedOut: (() => void) | null = null

/** Names who is told when an answer says that the session has ended. */
export function onSignedOut(listener: () => void): void {
  signedOut = listener
}

/** The typed client of the service that served this page. */
export const api = createClient<paths>({
  baseUrl: globalThis.location.origin,
  credentials: 'same-origin',
  fetch: (request) => globalThis.fetch(request),
})
api.use(csrf)

interface Answer<T> {
  data?: T
  error?: unknown
  response: Response
}

/** The body of a success; throws a `Problem` otherwise. A 401 also ends the session of the page. */
export async function take<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>
  try {
    answer = await call
  } catch (thrown) {
    throw asProblem(thrown)
  }
  if (answer.response.ok) return answer.data as T
  const problem = problemFrom(answer.response, answer.error)
  if (problem.kind === 'signed-out') signedOut?.()
  throw problem
}
