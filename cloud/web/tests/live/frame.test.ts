import { describe, expect, it } from 'vitest'
import { FrameReader } from '@/live/frame'

const TEXT = 'id: 7\nevent: case.opened\ndata: {"a":1}\n\n: heartbeat\n\ndata: one\ndata: two\n\n'

describe('FrameReader', () => {
  it('reads fields, joins data lines and skips comments', () => {
    expect(new FrameReader().push(TEXT)).toEqual([
      { event: 'case.opened', data: '{"a":1}', id: '7' },
      { event: 'message', data: 'one\ntwo', id: null },
    ])
  })

  it('gives the same frames wherever the chunks are cut, with any line end', () => {
    for (const end of ['\n', '\r\n', '\r']) {
      const text = TEXT.replaceAll('\n', end) + (end === '\r' ? ':' : '')
      for (let cut = 0; cut <= text.length; cut += 1) {
        const reader = new FrameReader()
        const frames = [...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))]
        expect(frames.map((frame) => frame.data)).toEqual(['{"a":1}', 'one\ntwo'])
      }
    }
  })

  it('tells nothing of an event without data', () => {
    expect(new FrameReader().push('event: reset\n\n')).toEqual([])
  })

  it('keeps colons and further spaces of a value, and ignores unknown fields and ids with NUL', () => {
    expect(new FrameReader().push('id: 1\0\nretry: 5\ndata:  a: b\n\n')).toEqual([{ event: 'message', data: ' a: b', id: null }])
  })
})
