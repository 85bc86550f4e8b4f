import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Category, type Draft, grouped, lacking, newKey, sendPicture, wishOf } from '@/reports/report'

const DRAFT: Draft = { origin: 'patrol', category: 'E0301', title: ' Rubbish ', description: ' ', area: '110105001001', position: null, address: '' }

function category(code: string): Category {
  return { code, name_zh: code, name_en: code, category: 'order', severity: 'low', kinds: [] }
}

afterEach(() => { vi.unstubAllGlobals() })

describe('a report', () => {
  it('needs a kind, words and a place: a grid or a position', () => {
    expect(lacking(DRAFT)).toEqual([])
    expect(lacking({ ...DRAFT, area: null, position: { longitude: 116.4, latitude: 39.9 } })).toEqual([])
    expect(lacking({ ...DRAFT, category: '', title: '  ', area: null })).toEqual(['category', 'title', 'place'])
  })

  it('says nothing where nothing was said, and by which clock', () => {
    expect(wishOf(DRAFT, 0)).toEqual({
      origin: 'patrol', category: 'E0301', title: 'Rubbish', description: null, address: null, area: '110105001001', longitude: null, latitude: null, sent_at: '1970-01-01T00:00:00.000Z', drill: false,
    })
  })

  it('has a key of its own that the service takes', () => {
    expect(newKey()).toMatch(/^[0-9a-f]{32}$/)
    expect(newKey()).not.toBe(newKey())
  })
})

describe('categories', () => {
  it('stand under their classes; a class without any is no choice', () => {
    const groups = grouped(['E03', 'E0301', 'E0302', 'P01'].map(category))
    expect(groups.map(({ class: one, items }) => [one.code, items.map((item) => item.code)])).toEqual([['E03', ['E0301', 'E0302']]])
  })
})

describe('a picture', () => {
  it('is named by its bytes; a refusal is told', async () => {
    const asked: string[] = []
    const answers = [new Response('{}', { status: 200 }), new Response('{"title": "too large"}', { status: 413, headers: { 'content-type': 'application/problem+json' } })]
    vi.stubGlobal('fetch', (address: string) => {
      asked.push(address)
      return Promise.resolve(answers[asked.length - 1])
    })
    await sendPicture('r1', new Blob(['abc']))
    expect(asked[0]).toBe('/api/v1/reports/r1/pictures/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    await expect(sendPicture('r1', new Blob(['abc']))).rejects.toMatchObject({ status: 413 })
  })
})
