const COUNT = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** `1,234,567` */
export function count(value: number): string {
  return COUNT.format(value)
}

/** `-1.24`; a hundredth is the least, and less than that is nothing, on whichever side. */
export function seconds(value: number): string {
  return (Math.round(value * 100) / 100 + 0).toFixed(2)
}

/** `280 MiB`: three figures at most. */
export function size(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024
    unit += 1
  }
  return `${value >= 100 || unit === 0 ? value.toFixed(0) : Number(value.toPrecision(3)).toString()} ${UNITS[unit] ?? ''}`
}

/** `62` of a share of 0.6249; never 100 before it is full, never 0 when something is there. */
export function percent(share: number): string {
  if (share >= 1) return '100'
  if (share > 0 && share < 0.01) return '<1'
  return String(Math.min(99, Math.round(share * 100)))
}
