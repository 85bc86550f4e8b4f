/** One event of a `text/event-stream`; `id` is null where the event carries none. */
export interface Frame {
  event: string
  data: string
  id: string | null
}

/**
 * Cuts a `text/event-stream` into frames (HTML standard, section "Interpreting an event stream").
 *
 * Chunks may end anywhere, also between CR and LF. Comments yield nothing: that they arrived is the reader's knowledge.
 */
export class FrameReader {
  private rest = ''
  private event = ''
  private data: string[] = []
  private id: string | null = null

  /** The frames that `chunk` completes. */
  push(chunk: string): Frame[] {
    this.rest += chunk
    const frames: Frame[] = []
    for (;;) {
      const end = /\r\n|\n|\r/.exec(this.rest)
      // A lone CR at the very end may be the first half of CR LF.
      if (end === null || (end[0] === '\r' && end.index === this.rest.length - 1)) return frames
      const line = this.rest.slice(0, end.index)
      this.rest = this.rest.slice(end.index + end[0].length)
      const frame = this.line(line)
      if (frame !== null) frames.push(frame)
    }
  }

  private line(line: string): Frame | null {
    if (line === '') return this.complete()
    const colon = line.indexOf(':')
    if (colon === 0) return null
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.event = value
    else if (field === 'data') this.data.push(value)
    else if (field === 'id' && !value.includes('\0')) this.id = value
    return null
  }

  private complete(): Frame | null {
    const frame = { event: this.event || 'message', data: this.data.join('\n'), id: this.id }
    const told = this.data.length > 0
    this.event = ''
    this.data = []
    this.id = null
    return told ? frame : null
  }
}
