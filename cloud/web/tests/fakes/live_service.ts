/** A live stream that a test drives by hand: each connection is kept, with what the page asked for. */
export class LiveConnection {
  readonly lastEventId: string | null
  aborted = false
  private controller: ReadableStreamDefaultController<Uint8Array> | null = null
  private readonly encoder = new TextEncoder()
  readonly response: Response

  constructor(init: RequestInit | undefined, status: number) {
    this.lastEventId = new Headers(init?.headers).get('last-event-id')
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.controller = controller
      },
    })
    init?.signal?.addEventListener('abort', () => {
      this.aborted = true
      this.fail()
    })
    this.response = new Response(status === 200 ? body : 'refused', { status })
  }

  send(text: string): void {
    this.controller?.enqueue(this.encoder.encode(text))
  }

  event(name: string, data: unknown, id: string | null): void {
    this.send(`${id === null ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  end(): void {
    this.controller?.close()
    this.controller = null
  }

  private fail(): void {
    this.controller?.error(new DOMException('aborted', 'AbortError'))
    this.controller = null
  }
}

export class LiveService {
  readonly connections: LiveConnection[] = []
  /** What the next connections get; `away`: no answer at all. */
  answer: number | 'away' = 200

  readonly fetch: typeof globalThis.fetch = (_input, init) => {
    if (this.answer === 'away') return Promise.reject(new TypeError('network'))
    const connection = new LiveConnection(init, this.answer)
    this.connections.push(connection)
    return Promise.resolve(connection.response)
  }

  get last(): LiveConnection {
    const connection = this.connections.at(-1)
    if (connection === undefined) throw new Error('nobody connected')
    return connection
  }
}
