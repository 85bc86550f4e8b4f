import type { Vocabulary } from '@/locale'

/** What was done, by code: what has a history of its own has words there already. */
const HISTORIES: Partial<Record<string, Vocabulary>> = { case: 'action', order: 'orderAction', rollout: 'rolloutAction' }

/** `drill.ended` in words: on what, and what was done. */
export function actionText(code: string, name: (vocabulary: Vocabulary, code: string) => string): string {
  const [thing = '', deed = ''] = code.split('.', 2)
  const plain = name('auditDeed', deed)
  const done = plain === deed.replaceAll('_', ' ') ? name(HISTORIES[thing] ?? 'auditDeed', deed) : plain
  return [name('auditThing', thing), done].filter(Boolean).join(' · ')
}

const SHOWN_APART = new Set(['case', 'purpose'])

/** What else a row of the audit log says, as `name: value`, without what has a column of its own. */
export function detailText(detail: Record<string, unknown>): string {
  return Object.entries(detail)
    .filter(([name, value]) => !SHOWN_APART.has(name) && value !== null && value !== '')
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ')
}
