import { describe, expect, it } from 'vitest'
import { en } from '@/locale/en'
import { zh } from '@/locale/zh'

function flat(messages: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'string' ? [[prefix + key, value] as const] : [...flat(value as object, `${prefix}${key}.`)],
    ),
  )
}
const slots = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()

describe('messages', () => {
  const [chinese, english] = [flat(zh), flat(en)]

  it('have the same keys and slots in both languages', () => {
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort())
    for (const [key, text] of chinese) expect(slots(english.get(key) ?? ''), key).toEqual(slots(text))
  })

  it('hold nothing that the message format would read as its own', () => {
    for (const [key, text] of [...chinese, ...english]) expect(text.replace(/\{\w+\}/g, ''), key).not.toMatch(/[{}@|]/)
  })
})
