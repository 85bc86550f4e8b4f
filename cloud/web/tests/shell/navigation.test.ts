import { createRouter, createMemoryHistory } from 'vue-router'
import { createApp, nextTick } from 'vue'
import { afterEach, describe, expect, it } from 'vitest'
import { ROLES } from '@/access/roles'
import { i18n } from '@/locale'
import { en } from '@/locale/en'
import { router } from '@/router'
import NavMenu from '@/shell/NavMenu.vue'
import { ENTRIES, type Entry, isHere, MENUS, partsFor } from '@/shell/navigation'

function shown(parts: ReturnType<typeof partsFor>): Entry[] {
  return parts.flatMap((part) => (part.kind === 'entry' ? [part.entry] : [...part.entries]))
}

describe('the bar', () => {
  it.each(ROLES)('leads %s to each page that is meant for the role, once, wide and narrow', (role) => {
    const meant = ENTRIES.filter((entry) => entry.roles?.includes(role) ?? true).map((entry) => entry.to)
    for (const narrow of [false, true]) {
      const found = shown(partsFor(role, narrow)).map((entry) => entry.to)
      expect([...found].sort()).toEqual([...meant].sort())
    }
  })

  it('knows the route of each entry, and no route is claimed twice', () => {
    const names = new Set(router.getRoutes().map((route) => route.name))
    const claimed = ENTRIES.flatMap((entry) => entry.under)
    expect(claimed.filter((name) => !names.has(name))).toEqual([])
    expect(new Set(claimed).size).toBe(claimed.length)
    for (const entry of ENTRIES) expect(isHere(entry, router.resolve(entry.to).name)).toBe(true)
  })

  it('has a word for each entry and menu', () => {
    const words = (key: string): unknown => key.split('.').reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], en)
    for (const key of [...ENTRIES.map((entry) => entry.label), ...MENUS.map((menu) => `nav.menu.${menu}`), 'nav.more']) expect(typeof words(key), key).toBe('string')
  })

  it('shows a menu of one as the entry itself, and none of nothing', () => {
    const entries: Entry[] = [
      { to: '/a', label: 'a', place: 'bar', under: ['a'] },
      { to: '/b', label: 'b', place: 'duty', under: ['b'] },
      { to: '/c', label: 'c', place: 'system', under: ['c'], roles: ['auditor'] },
    ]
    expect(partsFor('grid_worker', false, entries).map((part) => part.kind)).toEqual(['entry', 'entry'])
    expect(partsFor(null, true, entries).map((part) => part.kind)).toEqual(['menu'])
  })
})

describe('a menu of the bar', () => {
  const entries: Entry[] = [
    { to: '/a', label: 'nav.nodes', place: 'system', under: ['a'] },
    { to: '/b', label: 'nav.audit', place: 'system', under: ['b'] },
  ]
  let end: (() => void) | null = null
  afterEach(() => end?.())

  async function put(): Promise<{ button: HTMLButtonElement; list: HTMLElement; links: HTMLElement[] }> {
    const blank = { template: '<p />', render: () => null }
    const routes = createRouter({ history: createMemoryHistory(), routes: ['a', 'b', 'home'].map((name) => ({ path: `/${name}`, name, component: blank })) })
    await routes.push('/home')
    const root = document.createElement('div')
    document.body.append(root)
    const app = createApp(NavMenu, { label: 'nav.menu.system', entries }).use(i18n).use(routes)
    app.mount(root)
    end = () => {
      app.unmount()
      root.remove()
    }
    return { button: root.querySelector('button') as HTMLButtonElement, list: root.querySelector('ul') as HTMLElement, links: [...root.querySelectorAll('a')] }
  }

  function press(at: Element, key: string): void {
    at.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))
  }

  it('opens with the arrow, goes round with it and closes on Escape, back at its button', async () => {
    const { button, links } = await put()
    button.focus()
    press(button, 'ArrowDown')
    await nextTick()
    await nextTick()
    expect(button.getAttribute('aria-expanded')).toBe('true')
    expect(document.activeElement).toBe(links[0])
    press(links[0] as Element, 'ArrowUp')
    expect(document.activeElement).toBe(links[1])
    press(links[1] as Element, 'ArrowDown')
    expect(document.activeElement).toBe(links[0])
    press(links[0] as Element, 'Escape')
    await nextTick()
    expect(button.getAttribute('aria-expanded')).toBe('false')
    expect(document.activeElement).toBe(button)
  })

  it('closes by a click elsewhere and not by one inside', async () => {
    const { button, list } = await put()
    button.click()
    await nextTick()
    list.dispatchEvent(new MouseEvent('click', { bubbles: true }))
    await nextTick()
    expect(button.getAttribute('aria-expanded')).toBe('true')
    document.body.click()
    await nextTick()
    expect(button.getAttribute('aria-expanded')).toBe('false')
  })
})
