/** A fingerprint as people compare it, word by word: groups of eight. */
export function grouped(fingerprint: string): string {
  return (fingerprint.match(/.{1,8}/g) ?? []).join(' ')
}

/** What is typed on the machine of the node; the code is asked for there, so that no history keeps it. */
export function enrolCommand(origin: string): string {
  return `gridward-edge enrol --config node.yaml --cloud ${origin}`
}
