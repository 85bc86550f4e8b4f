import { ref, watch, type Ref } from 'vue'

/** A choice that this browser remembers; the first of `values` until one is made, or where storage is closed. */
export function preference<T extends string>(key: string, values: readonly [T, ...T[]]): Ref<T> {
  const name = `gridward.${key}`
  const choice = ref(stored(name, values)) as Ref<T>
  watch(choice, (value) => {
    try {
      globalThis.localStorage.setItem(name, value)
    } catch {
      // A browser that keeps nothing still shows the page.
    }
  })
  return choice
}

function stored<T extends string>(name: string, values: readonly [T, ...T[]]): T {
  let kept: string | null = null
  try {
    kept = globalThis.localStorage.getItem(name)
  } catch {
    // As above.
  }
  return values.find((value) => value === kept) ?? values[0]
}
