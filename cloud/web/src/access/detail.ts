const SHOWN_APART = new Set(['case', 'purpose'])

/** What else a row of the audit log says, as `name: value`, without what has a column of its own. */
export function detailText(detail: Record<string, unknown>): string {
  return Object.entries(detail)
    .filter(([name, value]) => !SHOWN_APART.has(name) && value !== null && value !== '')
    .map(([name, value]) => `${name}: ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ')
}
