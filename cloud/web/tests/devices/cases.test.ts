import { describe, expect, it } from 'vitest'
import { lastSeen } from '@/devices/cases'
import { someCase } from '../fakes/cases'

describe('lastSeen', () => {
  it('is the picture of the case that was active last', () => {
    const older = someCase(1, { picture: '/old-but-going-on', last_activity_at: '2026-05-01T02:00:00Z' })
    const newer = someCase(2, { picture: '/new', last_activity_at: '2026-05-01T01:00:00Z' })
    expect(lastSeen([newer, older])?.picture).toBe('/old-but-going-on')
  })

  it('is nothing where no case has a picture', () => {
    expect(lastSeen([someCase(3)])).toBeNull()
    expect(lastSeen([])).toBeNull()
  })
})
