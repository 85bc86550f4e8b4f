import type { Device, DeviceAction, DeviceOrder } from '@/api/types'

/** What a pile can be asked to do, the most urgent first. */
export const ACTIONS = ['stop_charge', 'trigger_message', 'reset', 'read_configuration', 'change_configuration', 'update_firmware'] as const satisfies readonly DeviceAction[]
export type Asked = (typeof ACTIONS)[number]

export const RESETS = ['soft', 'hard'] as const
export const TRIGGERS = ['meter_values', 'status', 'heartbeat', 'boot_notification', 'firmware_status', 'diagnostics_status'] as const

/** What one fills in; of it each action takes its own. */
export interface Form {
  /** 0: the one that charges. */
  connector: number
  reset: (typeof RESETS)[number]
  trigger: (typeof TRIGGERS)[number]
  key: string
  value: string
  location: string
}

export function emptyForm(): Form {
  return { connector: 0, reset: 'soft', trigger: 'meter_values', key: '', value: '', location: '' }
}

/** Kinds of devices that act; the node says in words what one of them does not know. */
export function mayAct(device: Device): boolean {
  return device.kind.endsWith('_pile')
}

/** The numbers of a device's connectors, as its points name them. */
export function connectorsOf(device: Device): number[] {
  const numbers = device.points.map((point) => /\.(\d+)$/.exec(point.name)?.[1]).filter((number) => number !== undefined)
  return [...new Set(numbers.map(Number))].filter((number) => number > 0).sort((one, other) => one - other)
}

/** What is sent for an action; null while something of it is missing. */
export function orderOf(action: Asked, form: Form): DeviceOrder | null {
  const [key, location] = [form.key.trim(), form.location.trim()]
  const connector = form.connector > 0 ? form.connector : null
  switch (action) {
    case 'stop_charge':
      return { action, connector, arguments: {} }
    case 'reset':
      return { action, arguments: { kind: form.reset } }
    case 'trigger_message':
      return { action, connector, arguments: { message: form.trigger } }
    case 'read_configuration':
      return { action, arguments: key === '' ? {} : { keys: [key] } }
    case 'change_configuration':
      return key === '' ? null : { action, arguments: { key, value: form.value } }
    case 'update_firmware':
      return location === '' ? null : { action, arguments: { location } }
  }
}

/** A pile's own settings out of its answer. */
export function settingsOf(result: Record<string, unknown> | null | undefined): { key: string; value: string }[] {
  const answer = result?.['answer']
  const known = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>)['configurationKey'] : null
  if (!Array.isArray(known)) return []
  return (known as unknown[])
    .filter((one): one is Record<string, unknown> => typeof one === 'object' && one !== null && 'key' in one)
    .map((one) => ({ key: text(one['key']), value: text(one['value']) }))
}

/** The word with which a device answered. */
export function answerOf(result: Record<string, unknown> | null | undefined): string | null {
  const answer = result?.['answer']
  const status = typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>)['status'] : null
  return typeof status === 'string' ? status : null
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}
