import { onScopeDispose, readonly, type Ref, ref } from 'vue'

/** Whether the window is too narrow for a bar with all its entries: a phone, a tablet, half a screen. */
export function useNarrow(): Readonly<Ref<boolean>> {
  const query = window.matchMedia('(max-width: 1100px)')
  const narrow = ref(query.matches)
  const follow = (event: MediaQueryListEvent): void => {
    narrow.value = event.matches
  }
  query.addEventListener('change', follow)
  onScopeDispose(() => query.removeEventListener('change', follow))
  return readonly(narrow)
}
