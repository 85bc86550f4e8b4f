import { computed, type ComputedRef } from 'vue'
import { api, take } from '@/api/client'
import { useResource } from '@/api/resource'
import type { Area } from '@/api/types'
import { parentsOf } from '@/cases/filter'

export interface AreaNode {
  code: string
  name: string
  children: AreaNode[]
}

/** The areas as trees; one whose parent is not in the list is a root. */
export function areaTree(areas: readonly Area[]): AreaNode[] {
  const nodes = new Map<string, AreaNode>(areas.map(({ code, name }) => [code, { code, name, children: [] }]))
  const roots: AreaNode[] = []
  for (const { code, parent } of areas) {
    const node = nodes.get(code)
    if (node === undefined) continue
    const above = parent === null ? undefined : nodes.get(parent)
    ;(above?.children ?? roots).push(node)
  }
  return roots
}

export interface Areas {
  tree: ComputedRef<AreaNode[]>
  parents: ComputedRef<ReadonlyMap<string, string | null>>
  load: () => Promise<void>
}

/** The areas within the person's scope. */
export function useAreas(): Areas {
  const { data, load } = useResource(async () => (await take(api.GET('/api/v1/areas'))).items)
  void load()
  return {
    tree: computed(() => areaTree(data.value ?? [])),
    parents: computed(() => parentsOf(data.value ?? [])),
    load,
  }
}
