const PURPOSE_NEEDED = 428

/** Whether a file that could not be shown waits for somebody to say what it is needed for. Asked after a failure alone: a view is written down. */
export async function wantsPurpose(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { headers: { Range: 'bytes=0-0' }, credentials: 'same-origin' })
    void answer.body?.cancel()
    return answer.status === PURPOSE_NEEDED
  } catch {
    return false
  }
}

/** The address of a file with what it is needed for. */
export function withPurpose(url: string, purpose: string | null): string {
  return purpose === null ? url : `${url}${url.includes('?') ? '&' : '?'}purpose=${encodeURIComponent(purpose)}`
}
