import { afterEach, describe, expect, it, vi } from 'vitest'
import { type App, type Component, createApp, nextTick } from 'vue'
import AccountsPage from '@/access/AccountsPage.vue'
import { i18n } from '@/locale'
import PasswordForm from '@/session/PasswordForm.vue'

interface Asked {
  method: string
  path: string
  body: unknown
}

let app: App | undefined
let asked: Asked[] = []

/** A page before a service that answers so. */
function shown(page: Component, props: Record<string, unknown>, answer: (one: Asked) => [number, unknown]): HTMLElement {
  asked = []
  vi.stubGlobal('fetch', async (request: Request) => {
    const one = { method: request.method, path: new URL(request.url).pathname, body: request.method === 'GET' ? null : ((await request.json()) as unknown) }
    asked.push(one)
    const [status, body] = answer(one)
    return new Response(body === null ? null : JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
  })
  const host = document.body.appendChild(document.createElement('div'))
  app = createApp(page, props).use(i18n)
  app.mount(host)
  return host
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await Promise.resolve()
    await new Promise((resolve) => { setTimeout(resolve, 0) })
  }
  await nextTick()
}

afterEach(() => {
  app?.unmount()
  document.body.replaceChildren()
  vi.unstubAllGlobals()
})

describe('changing a password', () => {
  async function filled(texts: string[], status = 204): Promise<[HTMLElement, ReturnType<typeof vi.fn>]> {
    const done = vi.fn()
    const host = shown(PasswordForm, { onDone: done }, () => [status, status === 204 ? null : { detail: 'x' }])
    const inputs = [...host.querySelectorAll('input')]
    for (const [index, text] of texts.entries()) {
      const input = inputs[index] as HTMLInputElement
      input.value = text
      input.dispatchEvent(new Event('input'))
    }
    await nextTick()
    host.querySelector('form')?.dispatchEvent(new Event('submit', { cancelable: true }))
    await settled()
    return [host, done]
  }

  it('sends the present one and the new one', async () => {
    const [, done] = await filled(['old password', 'a new password', 'a new password'])
    expect(asked).toEqual([{ method: 'POST', path: '/api/v1/session/password', body: { current: 'old password', password: 'a new password' } }])
    expect(done).toHaveBeenCalledOnce()
  })

  it('sends nothing while the two differ or the new one is short', async () => {
    const [host] = await filled(['old password', 'a new password', 'another password'])
    expect(host.querySelector('[data-testid=password-error]')).not.toBeNull()
    expect(asked).toEqual([])
    await filled(['old password', 'short', 'short'])
    expect(asked).toEqual([])
  })

  it('tells that the present one is wrong', async () => {
    const [host, done] = await filled(['old password', 'a new password', 'a new password'], 403)
    expect(done).not.toHaveBeenCalled()
    expect(host.querySelector('[data-testid=password-error]')).not.toBeNull()
  })
})

describe('the accounts', () => {
  const WANG = {
    id: 7,
    name: 'wang',
    display_name: '王小明',
    role: 'grid_worker',
    area_code: '110105001',
    area_name: '青松街道',
    department: null,
    created_at: '2026-03-01T08:00:00Z',
    disabled_at: null,
    password_changed_at: '2026-03-01T08:00:00Z',
    must_change_password: false,
    signed_in_at: null,
    locked_s: 60,
  }

  it('show who is locked out and lift it', async () => {
    const host = shown(AccountsPage, {}, (one) => [200, one.method === 'GET' ? { items: [WANG], next: null } : { ...WANG, locked_s: 0, password: null }])
    await settled()
    expect(host.querySelector('[data-account=wang]')?.textContent).toContain('王小明')
    expect(host.querySelector('[data-testid=locked]')).not.toBeNull()
    host.querySelector<HTMLButtonElement>('[data-testid=account-unlock]')?.click()
    await settled()
    expect(asked[1]).toEqual({ method: 'POST', path: '/api/v1/accounts/7/actions', body: { action: 'unlock' } })
    expect(asked).toHaveLength(3)
  })

  it('offer to open what is closed', async () => {
    const host = shown(AccountsPage, {}, () => [200, { items: [{ ...WANG, locked_s: 0, disabled_at: '2026-03-02T08:00:00Z' }], next: null }])
    await settled()
    expect(host.querySelector('[data-testid=account-reopen]')).not.toBeNull()
    expect(host.querySelector('[data-testid=account-disable]')).toBeNull()
  })
})
