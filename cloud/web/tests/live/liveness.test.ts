import { describe, expect, it } from 'vitest'
import { liveness, SILENT_AFTER_MS } from '@/live/liveness'

describe('liveness', () => {
  it('is connecting before the first word', () => {
    expect(liveness({ state: 'connecting', heardAt: null, unreadable: 0 }, 5)).toBe('connecting')
  })

  it('shows a short break as reconnecting and a long one as silent', () => {
    const view = { state: 'reconnecting', heardAt: 0, unreadable: 0 } as const
    expect(liveness(view, 5000)).toBe('reconnecting')
    expect(liveness(view, SILENT_AFTER_MS + 1)).toBe('silent')
  })

  it('does not call a connection live that says nothing', () => {
    const view = { state: 'live', heardAt: 0, unreadable: 0 } as const
    expect(liveness(view, 16_000)).toBe('live')
    expect(liveness(view, SILENT_AFTER_MS + 1)).toBe('silent')
  })
})
