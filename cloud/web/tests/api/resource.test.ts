import { describe, expect, it } from 'vitest'
import { Problem } from '@/api/problem'
import { useResource } from '@/api/resource'

describe('useResource', () => {
  it('counts only the last of overlapping loads', async () => {
    const answers: ((text: string) => void)[] = []
    const resource = useResource(() => new Promise<string>((resolve) => answers.push(resolve)))
    const [first, second] = [resource.load(), resource.load()]
    answers[1]?.('new')
    answers[0]?.('old')
    await Promise.all([first, second])
    expect(resource.data.value).toBe('new')
    expect(resource.loading.value).toBe(false)
  })

  it('keeps what it had when a later load fails, and forgets the failure when one succeeds', async () => {
    let fail = false
    const resource = useResource(() => (fail ? Promise.reject(new Problem('unavailable', 503, 'away', null, null)) : Promise.resolve(1)))
    await resource.load()
    fail = true
    await resource.load()
    expect(resource.data.value).toBe(1)
    expect(resource.problem.value?.kind).toBe('unavailable')
    fail = false
    await resource.load()
    expect(resource.problem.value).toBeNull()
  })
})
