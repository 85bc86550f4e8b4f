interface Page<T> {
  items: T[]
  next: string | null
}

/** All items of a list that the service hands out page by page. */
export async function everyItem<T>(ask: (after: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = []
  let after: string | undefined
  do {
    const page = await ask(after)
    items.push(...page.items)
    after = page.next ?? undefined
  } while (after !== undefined)
  return items
}
