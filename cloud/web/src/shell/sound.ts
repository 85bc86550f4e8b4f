import { reactive } from 'vue'
import type { CaseSummary } from '@/api/types'
import { rank } from '@/cases/severity'
import { preference } from '@/theme/preference'

const choice = preference<'off' | 'on'>('sound', ['off', 'on'])
let context: AudioContext | null = null

/** A short tone per severity: higher and twice for the worst. */
function tone(at: number, hertz: number): void {
  if (context === null) return
  const oscillator = context.createOscillator()
  const gain = context.createGain()
  const start = context.currentTime + at
  oscillator.frequency.value = hertz
  gain.gain.setValueAtTime(0, start)
  gain.gain.linearRampToValueAtTime(0.18, start + 0.02)
  gain.gain.exponentialRampToValueAtTime(0.001, start + 0.35)
  oscillator.connect(gain).connect(context.destination)
  oscillator.start(start)
  oscillator.stop(start + 0.4)
}

/** Whether a new case may be heard: what ended long ago and comes late fills the list silently. */
export function rings(summary: Pick<CaseSummary, 'late' | 'ongoing'>): boolean {
  return !summary.late || summary.ongoing
}

/** Sound for new cases; off until somebody turns it on. */
export const sound = reactive({
  on: choice.value === 'on',
  toggle(): void {
    this.on = !this.on
    choice.value = this.on ? 'on' : 'off'
    if (this.on) this.ring('medium')
  },
  ring(severity: CaseSummary['severity']): void {
    if (!this.on) return
    context ??= new AudioContext()
    void context.resume()
    const level = rank(severity)
    tone(0, 520 + 110 * level)
    if (level >= rank('high')) tone(0.28, 520 + 110 * level)
  },
})
