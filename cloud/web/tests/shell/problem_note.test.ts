import { afterEach, describe, expect, it } from 'vitest'
import { createApp, type App } from 'vue'
import { Problem } from '@/api/problem'
import { i18n } from '@/locale'
import ProblemNote from '@/shell/ProblemNote.vue'

let app: App | undefined

function shown(problem: Problem): string {
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(ProblemNote, { problem }).use(i18n)
  app.mount(host)
  return host.textContent ?? ''
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
})

describe('ProblemNote', () => {
  it('keeps the service’s English words away where its own sentence tells all', () => {
    expect(shown(new Problem('missing', 404, 'Not Found', 'there is no such case in your scope', null))).not.toMatch(/Not Found|scope/)
  })

  it('passes on what only the service knows', () => {
    expect(shown(new Problem('invalid', 422, 'Invalid', 'the area is too large', null))).toContain('the area is too large')
  })
})
