import { describe, expect, it } from 'vitest'
import { i18n } from '@/locale'
import { en } from '@/locale/en'
import { zh } from '@/locale/zh'

function flat(messages: object, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([key, value]: [string, unknown]) =>
      typeof value === 'string' ? [[prefix + key, value] as const] : [...flat(value as object, `${prefix}${key}.`)],
    ),
  )
}
/** English has a form for one and one for all else, Chinese has one for all. */
const forms = (text: string): string[] => text.split(' | ')
const slots = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort()

describe('messages', () => {
  const [chinese, english] = [flat(zh), flat(en)]

  it('have the same keys and slots in both languages', () => {
    expect([...english.keys()].sort()).toEqual([...chinese.keys()].sort())
    for (const [key, text] of chinese) for (const form of forms(english.get(key) ?? '')) expect(slots(form), key).toEqual(slots(text))
  })

  it('hold nothing that the message format would read as its own', () => {
    for (const [key, text] of [...chinese, ...[...english].flatMap(([key, text]) => forms(text).map((form) => [key, form] as const))]) expect(text.replace(/\{\w+\}/g, ''), key).not.toMatch(/[{}@|]/)
  })

  it('have two forms where they count, and the count chooses', () => {
    for (const [key, text] of english) if (text.includes(' | ')) expect([forms(text).length, /\{(count|n)\}/.test(text)], key).toEqual([2, true])
    i18n.global.locale.value = 'en'
    expect([0, 1, 2].map((count) => i18n.global.t('drills.cases', { count }))).toEqual(['0 cases', '1 case', '2 cases'])
  })
})
