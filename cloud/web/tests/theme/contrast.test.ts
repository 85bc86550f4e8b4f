import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** `#rrggbbaa` as red, green, blue and share, each up to one. */
function colour(words: string): [number, number, number, number] {
  const part = (at: number): number => parseInt(words.slice(at, at + 2) || 'ff', 16) / 255
  return [part(1), part(3), part(5), part(7)]
}

function over(top: string, below: string): number {
  const [above, ground] = [colour(top), colour(below)]
  const linear = [0, 1, 2].map((at) => {
    const value = (above[at] ?? 0) * above[3] + (ground[at] ?? 0) * (1 - above[3])
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * (linear[0] ?? 0) + 0.7152 * (linear[1] ?? 0) + 0.0722 * (linear[2] ?? 0)
}

describe.each([':root {', ':root.dark {'])('on a chosen row of %s', (theme) => {
  const css = readFileSync('src/theme/tokens.css', 'utf8')
  const block = css.slice(css.indexOf(theme)).split('}')[0] ?? ''
  const token = (name: string): string => new RegExp(`--${name}: (#\\w+);`).exec(block)?.[1] ?? ''

  it.each(['text', 'text-soft', 'text-faint', 'accent', 'critical', 'high', 'medium', 'low', 'good'])('%s is read: 4.5:1', (name) => {
    const [one, other] = [over(token(name), token('surface')), over(token('accent-soft'), token('surface'))].sort((a, b) => b - a)
    expect(((one ?? 0) + 0.05) / ((other ?? 0) + 0.05)).toBeGreaterThanOrEqual(4.5)
  })
})
