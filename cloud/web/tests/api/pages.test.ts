import { describe, expect, it } from 'vitest'
import { everyItem } from '@/api/pages'

const PAGES: Record<string, { items: number[]; next: string | null }> = {
  first: { items: [1, 2], next: 'b' },
  b: { items: [3], next: 'c' },
  c: { items: [], next: null },
}

describe('everyItem', () => {
  it('asks on behind each page until there is none', async () => {
    const asked: (string | undefined)[] = []
    const items = await everyItem((after) => {
      asked.push(after)
      return Promise.resolve(PAGES[after ?? 'first'] ?? { items: [], next: null })
    })
    expect(items).toEqual([1, 2, 3])
    expect(asked).toEqual([undefined, 'b', 'c'])
  })

  it('gives no part of a list whose page failed', async () => {
    const ask = (after: string | undefined) => (after === undefined ? Promise.resolve({ items: [1], next: 'b' }) : Promise.reject(new Error('away')))
    await expect(everyItem(ask)).rejects.toThrow('away')
  })
})
