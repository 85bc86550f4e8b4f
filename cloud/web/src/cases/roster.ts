import type { CasePage, CaseSummary } from '@/api/types'

/** What a live case did to the list; `beyond`: it belongs there, behind what was loaded so far. */
export type Change = 'added' | 'changed' | 'removed' | 'beyond' | 'ignored'

/** Whether the one stands before the other, as the service orders its pages. */
export type Before = (one: CaseSummary, other: CaseSummary) => boolean

/** Newest first by number: what a late node brings is new here, whenever it began. */
export const newestFirst: Before = (one, other) => one.id > other.id

/** What is due first; of what is due at one time, whose clock began first. */
export const dueFirst: Before = ({ clock: one }, { clock: other }) => {
  if (one === null || other === null) return one !== null
  const apart = Date.parse(one.due_at) - Date.parse(other.due_at)
  return apart === 0 ? one.id < other.id : apart < 0
}

/**
 * The list of cases that is on the screen: pages of the service and live events, merged by version.
 *
 * Events may overtake each other and the pages: an older version of a case never replaces a newer one, nor brings back a case that
 * a newer version took off the list. `items` is replaced at each change, never altered, and bounded by `limit`: a wall display runs for weeks.
 */
export class Roster {
  items: readonly CaseSummary[] = []
  /** Where the next page starts; null: nothing more. */
  next: string | null = null
  /** True when older cases were left out to stay within the limit. */
  cut = false

  private readonly versions = new Map<number, number>()
  private arrived: CaseSummary[] | null = null

  constructor(
    private readonly belongs: (summary: CaseSummary) => boolean,
    private readonly isBefore: Before = newestFirst,
    private readonly limit = 500,
  ) {}

  /** To be called before the first page is asked for: what arrives until `settle` is newer than the page. */
  begin(): void {
    this.arrived = []
  }

  /** Takes the first page as the truth, with all that arrived on the way. */
  settle(page: CasePage): void {
    const arrived = this.arrived ?? []
    this.arrived = null
    const held = new Map(this.items.map((item) => [item.id, item]))
    this.items = page.items.flatMap((item) => this.newest(item, held))
    this.next = page.next
    this.cut = false
    for (const summary of arrived) this.put(summary)
    this.trim()
  }

  /** Adds an older page at the end. */
  append(page: CasePage): void {
    const held = new Map(this.items.map((item) => [item.id, item]))
    const older = page.items.filter((item) => !held.has(item.id)).flatMap((item) => this.newest(item, held))
    this.items = [...this.items, ...older]
    this.next = page.next
    this.trim()
  }

  /** Takes a case that arrived live. */
  apply(summary: CaseSummary): Change {
    if (summary.version < (this.versions.get(summary.id) ?? -Infinity)) return 'ignored'
    this.arrived?.push(summary)
    const change = this.put(summary)
    this.trim()
    return change
  }

  private put(summary: CaseSummary): Change {
    if (summary.version < (this.versions.get(summary.id) ?? -Infinity)) return 'ignored'
    this.remember(summary)
    const rest = this.items.filter((item) => item.id !== summary.id)
    const own = this.items.find((item) => item.id === summary.id)
    const held = own !== undefined
    if (!this.belongs(summary)) {
      if (held) this.items = rest
      return held ? 'removed' : 'ignored'
    }
    const place = rest.findIndex((item) => this.isBefore(summary, item))
    // Behind the last loaded page lies what was not asked for yet: it comes with its page.
    if (place < 0 && this.next !== null && (own === undefined || this.isBefore(own, summary))) {
      this.items = rest
      return held ? 'removed' : 'beyond'
    }
    this.items = place < 0 ? [...rest, summary] : rest.toSpliced(place, 0, summary)
    return held ? 'changed' : 'added'
  }

  /** A page's item, unless something newer is known: then that, or nothing if the newer one left the list. */
  private newest(item: CaseSummary, held: ReadonlyMap<number, CaseSummary>): CaseSummary[] {
    const known = this.versions.get(item.id)
    if (known === undefined || item.version >= known) {
      this.remember(item)
      return [item]
    }
    const newer = held.get(item.id)
    return newer?.version === known ? [newer] : []
  }

  private remember(summary: CaseSummary): void {
    this.versions.delete(summary.id)
    this.versions.set(summary.id, summary.version)
  }

  private trim(): void {
    if (this.items.length > this.limit) {
      this.items = this.items.slice(0, this.limit)
      this.next = null
      this.cut = true
    }
    const excess = this.versions.size - 4 * this.limit
    if (excess > 0) for (const id of [...this.versions.keys()].slice(0, excess)) this.versions.delete(id)
  }
}
