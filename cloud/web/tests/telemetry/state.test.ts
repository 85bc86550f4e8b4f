import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { en } from '@/locale/en'
import { zh } from '@/locale/zh'
import { stateText } from '@/telemetry/state'

const named = { name: (vocabulary: string, code: string): string => `${vocabulary}/${code}`, has: () => true, nothing: '–' }

/** What stands between two marks of a module of the node: closed sets are read where they are defined, so that a new member asks for its word. */
function between(path: string, from: string, to: string): string {
  const text = readFileSync(join(import.meta.dirname, '../../../../edge', path), 'utf-8')
  const begin = text.indexOf(from)
  const end = text.indexOf(to, begin + from.length)
  if (begin < 0 || end < 0) throw new Error(`${path}: nothing between ${from} and ${to}`)
  return text.slice(begin + from.length, end)
}
const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].flatMap((match) => (match[1] === undefined ? [] : [match[1]]))
const snake = (word: string): string => word.replace(/[A-Z]/g, (letter, at: number) => (at > 0 ? '_' : '') + letter.toLowerCase())

const faults = all(between('contract/safety.py', 'class SafetyFault(StrEnum):', '\n\n\n'), / = "(\w+)"/g)
const statuses = all(between('sources/ocpp/faults.py', 'STATUSES: Final', '\n)'), /: "(\w+)"/g)
const reasons = all(between('sources/ocpp/faults.py', 'STOP_REASONS: Final', '\n)'), /: "(\w+)"/g)
const otherReasons = all(between('sources/ykc/faults.py', '_STOP_WORDS: Final', '\n)'), /: "(\w+)"/g)
const ended = [
  ...all(between('sources/ykc/faults.py', '_BMS_REASONS: Final', '\n'), /"(\w+)"/g),
  ...all(between('sources/ykc/faults.py', '_CHARGER_REASONS: Final', '\n'), /"(\w+)"/g),
]
const ykcStates = all(between('sources/ykc/readings.py', '_STATUS: Final', '\n'), /: "(\w+)"/g)
const ykcUpdates = all(between('sources/ykc/readings.py', 'UPDATE_RESULTS: Final', '\n)'), /: "(\w+)"/g)
/** Of OCPP 1.6 (§7.25, §7.24, and its security whitepaper §4, §5), as stations write them. */
const updates = 'Downloaded DownloadFailed Downloading Idle InstallationFailed Installing Installed DownloadScheduled DownloadPaused InstallRebooting InstallScheduled InstallVerificationFailed InvalidSignature SignatureVerified'
const uploads = 'Idle Uploaded UploadFailed Uploading BadMessage NotSupportedOperation PermissionDenied UploadFailure'
const events =
  'FirmwareUpdated FailedToAuthenticateAtCentralSystem CentralSystemFailedToAuthenticate SettingSystemTime StartupOfTheDevice ResetOrReboot SecurityLogWasCleared ReconfigurationOfSecurityParameters MemoryExhaustion InvalidMessages AttemptedReplayAttacks TamperDetectionActivated InvalidFirmwareSignature InvalidFirmwareSigningCertificate InvalidCentralSystemCertificate InvalidChargePointCertificate InvalidTLSVersion InvalidTLSCipherSuite'

/** By the point: every state that it can have. */
const STATES: readonly (readonly [string, readonly string[]])[] = [
  ['faults', faults],
  ['faults.1', faults],
  ['stop_reason.2', [...reasons, ...otherReasons, ...ended, ...faults, 'vehicle', 'charger']],
  ['status.1', [...statuses, ...ykcStates, 'unavailable']],
  ['plugged.1', ['yes', 'no', 'unknown']],
  ['firmware_status', [...updates.split(' ').map(snake), ...ykcUpdates]],
  ['diagnostics_status', uploads.split(' ').map(snake)],
  ['security_event', events.split(' ').map(snake)],
  ['smoke', ['normal', 'alarm']],
  ['tamper', ['normal', 'alarm']],
  ['door', ['open', 'closed']],
  ['relay', ['on', 'off']],
  ['sos', ['pressed']],
  ['reachable', ['up', 'down']],
]

describe('the word of a state', () => {
  it('is told by its name, faults one by one', () => {
    expect(stateText('faults.1', 'none', named)).toBe('–')
    expect(stateText('faults.1', 'smoke+lock', named)).toBe('fault/smoke + fault/lock')
    expect(stateText('status.2', 'charging', named)).toBe('connectorState/charging')
    expect(stateText('stop_reason.1', 'remote', named)).toBe('stopReason/remote')
    expect(stateText('reachable', 'down', named)).toBe('lineState/down')
    expect(stateText('door_held_open', 'alarm', named)).toBe('alarmState/alarm')
  })

  it('is the device’s own text where that is no word of ours', () => {
    expect(stateText('firmware', '1.0.0', named)).toBe('1.0.0')
    expect(stateText('raw_code.1', 'E1+E2', named)).toBe('E1+E2')
    expect(stateText('raw_code', 'on', named)).toBe('on')
    expect(stateText('charging.1', '17', named)).toBe('17')
    const wordless = { ...named, has: () => false }
    expect(stateText('network', '4g', wordless)).toBe('4g')
    expect(stateText('mode', 'a+b', wordless)).toBe('a+b')
    const half = { ...named, has: (_: string, code: string) => code === 'smoke' }
    expect(stateText('faults', 'smoke+singed', half)).toBe('fault/smoke + singed')
  })

  it.each(STATES)('%s: each of its states has one in both languages', (point, states) => {
    expect(states.length).toBeGreaterThan(0)
    for (const language of [zh, en]) {
      const vocabularies = language as unknown as Record<string, Record<string, string>>
      const words = {
        name: (vocabulary: string, code: string): string => vocabularies[vocabulary]?.[code] ?? '',
        has: (vocabulary: string, code: string): boolean => vocabularies[vocabulary]?.[code] !== undefined,
        nothing: '–',
      }
      for (const state of states) {
        const word = stateText(point, state, { ...words, name: (vocabulary, code) => `«${words.name(vocabulary, code)}»` })
        expect(word, `${point} ${state}`).toMatch(/^«.+»$/)
      }
    }
  })
})
