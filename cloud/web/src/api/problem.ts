/** What went wrong, sorted by what the person in front of the page can do about it. */
export type ProblemKind =
  | 'offline' // no answer at all: network or service away
  | 'signed-out'
  | 'forbidden'
  | 'missing'
  | 'conflict' // somebody was faster, or the state forbids it
  | 'locked' // too many attempts: wait
  | 'invalid'
  | 'unavailable'
  | 'unexpected'

/** The service's refusal (RFC 9457), or the lack of any answer. */
export class Problem extends Error {
  readonly kind: ProblemKind
  readonly status: number
  readonly detail: string | null
  readonly retryAfterS: number | null

  constructor(kind: ProblemKind, status: number, title: string, detail: string | null, retryAfterS: number | null) {
    super(title)
    this.name = 'Problem'
    this.kind = kind
    this.status = status
    this.detail = detail
    this.retryAfterS = retryAfterS
  }
}

function kindOf(status: number): ProblemKind {
  switch (status) {
    case 401:
      return 'signed-out'
    case 403:
      return 'forbidden'
    case 404:
    case 410:
      return 'missing'
    case 409:
    case 412:
      return 'conflict'
    case 423:
    case 429:
      return 'locked'
    default:
      if (status >= 500) return 'unavailable'
      return status >= 400 ? 'invalid' : 'unexpected'
  }
}

function text(body: unknown, field: 'title' | 'detail'): string | null {
  if (typeof body !== 'object' || body === null) return null
  const value: unknown = (body as Record<string, unknown>)[field]
  return typeof value === 'string' && value !== '' ? value : null
}

/** `Retry-After` in seconds; the header's date form is not used by the service and reads as null. */
function retryAfter(response: Response): number | null {
  const header = response.headers.get('retry-after')
  return header !== null && /^\d+$/.test(header) ? Number(header) : null
}

/** Reads a refusal; `body` is whatever came, a proxy's HTML page included. */
export function problemFrom(response: Response, body: unknown): Problem {
  return new Problem(
    kindOf(response.status),
    response.status,
    text(body, 'title') ?? (response.statusText || `HTTP ${String(response.status)}`),
    text(body, 'detail'),
    retryAfter(response),
  )
}

/** Any thrown thing as a Problem: what `fetch` throws means that no answer came. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown
  if (thrown instanceof TypeError) return new Problem('offline', 0, thrown.message, null, null)
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new Problem('unexpected', 0, message, null, null)
}
