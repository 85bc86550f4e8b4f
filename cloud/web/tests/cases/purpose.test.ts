import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, createApp, nextTick } from 'vue'
import EvidencePurpose from '@/cases/EvidencePurpose.vue'
import { wantsPurpose, withPurpose } from '@/cases/purpose'
import { i18n } from '@/locale'

let app: App | undefined

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('what pictures are needed for', () => {
  it('stands in the address, whatever was written', () => {
    expect(withPurpose('/api/v1/evidence/aa', null)).toBe('/api/v1/evidence/aa')
    expect(withPurpose('/api/v1/evidence/aa', '公安 & file #12')).toBe('/api/v1/evidence/aa?purpose=%E5%85%AC%E5%AE%89%20%26%20file%20%2312')
    expect(withPurpose('/x?a=1', 'b c')).toBe('/x?a=1&purpose=b%20c')
  })

  it('is asked for where the service says so, and not when it is away', async () => {
    const answers = [428, 200, 404]
    vi.stubGlobal('fetch', () => Promise.resolve(new Response(null, { status: answers.shift() ?? 500 })))
    expect([await wantsPurpose('/a'), await wantsPurpose('/a'), await wantsPurpose('/a')]).toEqual([true, false, false])
    vi.stubGlobal('fetch', () => Promise.reject(new Error('away')))
    expect(await wantsPurpose('/a')).toBe(false)
  })

  it('is told once it says something', async () => {
    const given: string[] = []
    const host = document.body.appendChild(document.createElement('div'))
    app = createApp(EvidencePurpose, { onGiven: (purpose: string) => given.push(purpose) }).use(i18n)
    app.mount(host)
    const [input, form] = [host.querySelector('input'), host.querySelector('form')]
    for (const text of ['  x ', '  asked for by the police ']) {
      if (input === null || form === null) throw new Error('no form')
      input.value = text
      input.dispatchEvent(new Event('input'))
      await nextTick()
      form.dispatchEvent(new Event('submit', { cancelable: true }))
    }
    expect(given).toEqual(['asked for by the police'])
  })
})
