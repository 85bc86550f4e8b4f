import { describe, expect, it } from 'vitest'
import { duration, full, instant, relative, short } from '@/time/format'

const at = (text: string): number => instant(text)

describe('absolute times', () => {
  it('are Shanghai’s, whatever the browser’s zone', () => {
    expect(full(at('2026-05-01T16:30:05Z'))).toBe('2026-05-02 00:30:05')
  })

  it('are as short as is clear', () => {
    const now = at('2026-05-02T04:00:00Z')
    expect(short(at('2026-05-01T16:30:05Z'), now)).toBe('00:30:05')
    expect(short(at('2026-05-01T15:30:05Z'), now)).toBe('05-01 23:30')
    expect(short(at('2025-05-01T15:30:05Z'), now)).toBe('2025-05-01 23:30')
  })

  it('read microseconds', () => {
    expect(full(at('2026-05-01T16:30:05.123456+00:00'))).toBe('2026-05-02 00:30:05')
  })
})

describe('relative times', () => {
  const now = at('2026-05-02T04:00:00Z')
  const ago = (seconds: number): string => relative(now - seconds * 1000, now, 'zh')

  it('count in the largest whole unit', () => {
    expect([ago(0), ago(59), ago(60), ago(3599), ago(3600), ago(90_000)]).toEqual(['刚刚', '59秒钟前', '1分钟前', '59分钟前', '1小时前', '1天前'])
  })

  it('never speak of the future: clocks differ', () => {
    expect(ago(-30)).toBe('刚刚')
  })

  it('are empty for what is no time', () => {
    expect(relative(instant('soon'), now, 'en')).toBe('')
  })
})

describe('durations', () => {
  it('name two units at most', () => {
    expect([16.44, 60, 200, 3600, 7500].map((seconds) => duration(seconds, 'zh'))).toEqual(['16.4秒', '1分', '3分20秒', '1小时', '2小时5分'])
    expect(duration(200, 'en')).toBe('3 min 20 s')
  })

  it('do not show sixty of anything', () => {
    expect(duration(3599.7, 'en')).toBe('1 h')
    expect(duration(59.97, 'en')).toBe('1 min')
    expect(duration(7199, 'en')).toBe('2 h')
  })
})
