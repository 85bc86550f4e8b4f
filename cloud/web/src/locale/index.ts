import { createI18n, useI18n } from 'vue-i18n'
import { computed, watchEffect, type ComputedRef } from 'vue'
import type { Locale } from '@/time/format'
import { preference } from '@/theme/preference'
import { en } from './en'
import { type Messages, zh } from './zh'

const chosen = preference<Locale>('locale', ['zh', 'en'])

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: chosen.value,
  fallbackLocale: 'zh',
  messages: { zh, en },
})

watchEffect(() => {
  i18n.global.locale.value = chosen.value
  document.documentElement.lang = chosen.value === 'zh' ? 'zh-CN' : 'en'
})

/** The groups of names for codes that the service sends. */
export type Vocabulary =
  | 'absence'
  | 'action'
  | 'alarmState'
  | 'answer'
  | 'areaLevel'
  | 'callState'
  | 'category'
  | 'connectorState'
  | 'department'
  | 'deviceAction'
  | 'deviceKind'
  | 'deviceTrigger'
  | 'fault'
  | 'gapReason'
  | 'hole'
  | 'kind'
  | 'letter'
  | 'lineState'
  | 'logLevel'
  | 'orderAction'
  | 'orderStatus'
  | 'point'
  | 'presence'
  | 'publicState'
  | 'reason'
  | 'refusal'
  | 'plugState'
  | 'ring'
  | 'role'
  | 'rolloutAction'
  | 'rolloutState'
  | 'severity'
  | 'status'
  | 'stopReason'
  | 'stepReason'
  | 'stepState'
  | 'thing'
  | 'trialWarning'
  | 'trouble'
  | 'updateState'
  | 'wallState'

export interface Words {
  t: ReturnType<typeof useI18n>['t']
  locale: ComputedRef<Locale>
  /** The name of a code; a code that this page does not know is shown as it is. A connector's point is its quantity and its number. */
  name: (vocabulary: Vocabulary, code: string) => string
  toggle: () => void
}

export function useWords(): Words {
  const { t, te } = useI18n({ useScope: 'global' })
  return {
    t,
    locale: computed(() => chosen.value),
    name: (vocabulary, code) => {
      // A dot in a code would be a way into the words: of `temperature_c.1` it would show the second letter.
      const known = (word: string): string | null => (!word.includes('.') && te(`${vocabulary}.${word}`, 'zh') ? t(`${vocabulary}.${word}`) : null)
      const [, quantity, number] = vocabulary === 'point' ? (/^(.+)\.(\d+)$/.exec(code) ?? []) : []
      const ofConnector = quantity === undefined ? null : known(quantity)
      return known(code) ?? (ofConnector === null ? code.replaceAll('_', ' ') : `${ofConnector} ${number}`)
    },
    toggle: () => {
      chosen.value = chosen.value === 'zh' ? 'en' : 'zh'
    },
  }
}
