import { computed } from 'vue'
import { api, take } from '@/api/client'
import { asProblem, type Problem } from '@/api/problem'
import { useResource } from '@/api/resource'
import { useWords } from '@/locale'
import { zh } from '@/locale/zh'

/** The words that the page knows for kinds and categories, as a list to choose from. */
export const CATEGORIES: readonly string[] = Object.keys(zh.category)
export const KINDS: readonly string[] = Object.keys(zh.kind)
export const SEVERITIES = ['low', 'medium', 'high', 'critical'] as const
export const LEVELS = ['district', 'street', 'community', 'grid'] as const

/** Names of areas by their code; a code that is not in the person's scope is shown as it is. */
export function useAreaNames(): (code: string | null) => string {
  const { t } = useWords()
  const areas = useResource(async () => (await take(api.GET('/api/v1/areas'))).items)
  void areas.load()
  const names = computed(() => new Map((areas.data.value ?? []).map((area) => [area.code, area.name])))
  return (code) => (code === null ? t('settings.everywhere') : (names.value.get(code) ?? code))
}

/** A refusal in one sentence: the page's, and what the service says of this one. */
export function refusal(thrown: unknown, t: (key: string) => string): string {
  const problem: Problem = asProblem(thrown)
  return [t(`problem.${problem.kind}`), problem.detail].filter(Boolean).join(' ')
}
