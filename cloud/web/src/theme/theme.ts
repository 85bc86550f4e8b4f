import { watchEffect } from 'vue'
import { preference } from './preference'

export type Theme = 'dark' | 'light'

/** Dark by default: wall displays stand in dim rooms. */
export const theme = preference<Theme>('theme', ['dark', 'light'])

watchEffect(() => {
  document.documentElement.classList.toggle('dark', theme.value === 'dark')
})

/** The value of a colour token, for what is drawn on a canvas. Read it again when the theme changes. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()
}
