import { createI18n, useI18n } from 'vue-i18n'
import { computed, watchEffect, type ComputedRef } from 'vue'
import type { Locale } from '@/time/format'
import { stateText } from '@/telemetry/state'
import { preference } from '@/theme/preference'
import { en } from './en'
import { type Messages, zh } from './zh'

const chosen = preference<Locale>('locale', ['zh', 'en'])

export const i18n = createI18n<[Messages], Locale, false>({
  legacy: false,
  locale: chosen.value,
  fallbackLocale: 'zh',
  messages: { zh, en },
  pluralRules: { en: (count) => (count === 1 ? 0 : 1) }, // also of a count that is written out already
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
  | 'auditDeed'
  | 'auditThing'
  | 'areaLevel'
  | 'callState'
  | 'category'
  | 'channelFailure'
  | 'connectorState'
  | 'department'
  | 'deviceAction'
  | 'deviceKind'
  | 'deviceTrigger'
  | 'dutyKind'
  | 'fault'
  | 'figure'
  | 'figureCounts'
  | 'figureLeftOut'
  | 'figureWhole'
  | 'gapReason'
  | 'hole'
  | 'kind'
  | 'memberKind'
  | 'siteKind'
  | 'letter'
  | 'lineState'
  | 'logLevel'
  | 'noticeWord'
  | 'orderAction'
  | 'orderStatus'
  | 'origin'
  | 'plainState'
  | 'point'
  | 'presence'
  | 'progress'
  | 'publicState'
  | 'reason'
  | 'refusal'
  | 'plugState'
  | 'ring'
  | 'role'
  | 'rolloutAction'
  | 'rolloutState'
  | 'securityEvent'
  | 'severity'
  | 'light'
  | 'stage'
  | 'status'
  | 'stopReason'
  | 'stepReason'
  | 'stepState'
  | 'thing'
  | 'trialWarning'
  | 'trouble'
  | 'updateState'
  | 'uploadState'
  | 'wallState'

export interface Words {
  t: ReturnType<typeof useI18n>['t']
  locale: ComputedRef<Locale>
  /** The name of a code; a code that this page does not know is shown as it is. A connector's point is its quantity and its number. */
  name: (vocabulary: Vocabulary, code: string) => string
  /** A state of a point, in words. */
  state: (point: string, value: string) => string
  toggle: () => void
}

export function useWords(): Words {
  const { t, te } = useI18n({ useScope: 'global' })
  // A dot in a code would be a way into the words: of `temperature_c.1` it would show the second letter.
  const has = (vocabulary: Vocabulary, code: string): boolean => !code.includes('.') && te(`${vocabulary}.${code}`, 'zh')
  const name = (vocabulary: Vocabulary, code: string): string => {
    const known = (word: string): string | null => (has(vocabulary, word) ? t(`${vocabulary}.${word}`) : null)
    const [, quantity, number] = vocabulary === 'point' ? (/^(.+)\.(\d+)$/.exec(code) ?? []) : []
    const ofConnector = quantity === undefined ? null : known(quantity)
    return known(code) ?? (ofConnector === null ? code.replaceAll('_', ' ') : `${ofConnector} ${number}`)
  }
  return {
    t,
    locale: computed(() => chosen.value),
    name,
    state: (point, value) => stateText(point, value, { name, has, nothing: t('device.nothing') }),
    toggle: () => {
      chosen.value = chosen.value === 'zh' ? 'en' : 'zh'
    },
  }
}
