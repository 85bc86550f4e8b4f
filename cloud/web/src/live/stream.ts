import { type LiveEvents, type LiveName, isLiveName } from './event'
import { type Frame, FrameReader } from './frame'

/** `connecting`: never been live; `reconnecting`: was, and tries again; `ended`: signed out or stopped. */
export type StreamState = 'connecting' | 'live' | 'reconnecting' | 'ended'

export interface StreamView {
  state: StreamState
  /** When the service was last heard, heartbeats included (ms since 1970). */
  heardAt: number | null
  /** Events that could not be read: shown to nobody, but a test and a console can see them. */
  unreadable: number
}

/** The service sends a heartbeat each 15 s: three missing ones mean that the connection is dead, whatever TCP believes. */
export const SILENCE_MS = 45_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000

type Handler<N extends LiveName> = (payload: LiveEvents[N]) => void
type Handlers = { [N in LiveName]: Set<Handler<N>> }

export interface StreamOptions {
  url: string
  /** Told at each change of the view. */
  onView?: (view: Readonly<StreamView>) => void
  /** Told once when the service says that the session has ended. */
  onSignedOut?: () => void
  /** Told when the person sees other things than before: another role, area or department. */
  onOtherScope?: () => void
  fetch?: typeof globalThis.fetch
  now?: () => number
  /** 0 to 1, spreads the reconnects of many pages. */
  jitter?: () => number
}

/**
 * The live stream: connects, resumes after its last event, notices silence, and hands events out.
 *
 * It reads the response itself instead of using `EventSource`, which hides heartbeats (so that a dead connection looks alive) and
 * the status (so that an ended session and a restarting service look alike, and a 502 of a proxy ends it for good).
 */
export class LiveStream {
  private readonly options: Required<StreamOptions>
  private readonly handlers: Handlers = {
    'case.opened': new Set(),
    'case.updated': new Set(),
    'node.presence': new Set(),
    'node.health': new Set(),
    'device.presence': new Set(),
    'device.readings': new Set(),
    'command.updated': new Set(),
    'order.opened': new Set(),
    'order.updated': new Set(),
    'rollout.updated': new Set(),
    'notice.new': new Set(),
    'drill.started': new Set(),
    'drill.updated': new Set(),
    'drill.ended': new Set(),
    resync: new Set(),
  }
  private view: StreamView = { state: 'connecting', heardAt: null, unreadable: 0 }
  private cursor: string | null = null
  private who: string | null = null
  private attempt = 0
  private run = 0 // counts starts; 0 while stopped, so that a loop of an earlier start ends itself
  private starts = 0
  private connection: AbortController | null = null
  private wake: (() => void) | null = null

  constructor(options: StreamOptions) {
    this.options = {
      onView: () => undefined,
      onSignedOut: () => undefined,
      onOtherScope: () => undefined,
      fetch: (input, init) => globalThis.fetch(input, init),
      now: () => Date.now(),
      jitter: () => Math.random(),
      ...options,
    }
  }

  /** Calls `handler` for each event of that name until the returned function is called. */
  on<N extends LiveName>(name: N, handler: Handler<N>): () => void {
    const handlers = this.handlers[name] as Set<Handler<N>>
    handlers.add(handler)
    return () => handlers.delete(handler)
  }

  /** Connects, and stays connected until `stop` or the end of the session. */
  start(): void {
    if (this.run !== 0) return
    this.starts += 1
    this.run = this.starts
    this.attempt = 0
    this.show({ state: 'connecting' })
    void this.keep(this.run)
  }

  stop(): void {
    this.run = 0
    this.cursor = null
    this.who = null
    this.connection?.abort()
    this.wake?.()
    this.show({ state: 'ended', heardAt: null })
  }

  /** Ends the wait before the next attempt: the network is back, or someone asked. */
  retry(): void {
    this.attempt = 0
    this.wake?.()
  }

  private async keep(run: number): Promise<void> {
    while (this.run === run) {
      try {
        await this.connect(run)
      } catch {
        // Every reason leads to the same: wait and try again. The page shows since when nothing was heard.
      }
      if (this.run !== run) return
      this.show({ state: this.view.heardAt === null ? 'connecting' : 'reconnecting' })
      await this.pause()
    }
  }

  private async connect(run: number): Promise<void> {
    const connection = new AbortController()
    this.connection = connection
    let silence = setTimeout(() => { connection.abort() }, SILENCE_MS)
    try {
      const headers: Record<string, string> = { accept: 'text/event-stream' }
      if (this.cursor !== null) headers['last-event-id'] = this.cursor
      const response = await this.options.fetch(this.options.url, {
        headers,
        cache: 'no-store',
        credentials: 'same-origin',
        signal: connection.signal,
      })
      if (response.status === 401) {
        this.stop()
        this.options.onSignedOut()
        return
      }
      if (!response.ok || response.body === null) throw new Error(`HTTP ${String(response.status)}`)
      const reader = response.body.getReader()
      const frames = new FrameReader()
      const decoder = new TextDecoder()
      for (;;) {
        const { done, value } = await reader.read()
        if (done || this.run !== run) return
        clearTimeout(silence)
        silence = setTimeout(() => { connection.abort() }, SILENCE_MS)
        this.show({ heardAt: this.options.now() })
        for (const frame of frames.push(decoder.decode(value, { stream: true }))) this.take(frame)
      }
    } finally {
      clearTimeout(silence)
      connection.abort()
    }
  }

  private take(frame: Frame): void {
    if (frame.event === 'hello') {
      const first = this.cursor === null
      // A resumed stream still owes what lies between our cursor and the hello's: that one is not ours yet.
      if (first) this.cursor = frame.id
      this.attempt = 0
      this.show({ state: 'live' })
      this.recognise(frame.data)
      if (first) this.tell('resync', null)
    } else if (frame.event === 'reset') {
      this.cursor = frame.id
      this.tell('resync', null)
    } else {
      if (isLiveName(frame.event)) this.read(frame.event, frame.data)
      this.cursor = frame.id ?? this.cursor
    }
  }

  private recognise(hello: string): void {
    let who: unknown
    try {
      who = (JSON.parse(hello) as { who?: unknown }).who
    } catch {
      return
    }
    if (typeof who !== 'string') return
    const before = this.who
    this.who = who
    if (before !== null && before !== who) this.options.onOtherScope()
  }

  private read(name: Exclude<LiveName, 'resync'>, data: string): void {
    let payload: unknown
    try {
      payload = JSON.parse(data)
    } catch {
      this.show({ unreadable: this.view.unreadable + 1 })
      return
    }
    this.tell(name, payload as never)
  }

  private tell<N extends LiveName>(name: N, payload: LiveEvents[N]): void {
    for (const handler of this.handlers[name] as Set<Handler<N>>) handler(payload)
  }

  private show(change: Partial<StreamView>): void {
    this.view = { ...this.view, ...change }
    this.options.onView(this.view)
  }

  private async pause(): Promise<void> {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.attempt)
    this.attempt += 1
    const wait = longest * (0.5 + 0.5 * this.options.jitter())
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait)
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.wake = null
  }
}
