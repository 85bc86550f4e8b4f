import { describe, expect, it } from 'vitest'
import { areaTree } from '@/areas/areas'

describe('areaTree', () => {
  it('hangs areas under their parents and takes the top of the person’s scope as root', () => {
    const tree = areaTree([
      { code: '110199001001', level: 'community', parent: '110199001', name: 'c' },
      { code: '110199001', level: 'street', parent: '110199', name: 's' },
    ])
    expect(tree).toEqual([{ code: '110199001', name: 's', children: [{ code: '110199001001', name: 'c', children: [] }] }])
  })
})
