import { api, take } from '@/api/client'

/** What a browser needs for notices while no page is open; a test gives its own. */
export interface Platform {
  supported: boolean
  permission: () => Promise<NotificationPermission>
  registration: () => Promise<ServiceWorkerRegistration>
  existing: () => Promise<ServiceWorkerRegistration | undefined>
}

const WORKER = '/notice-worker.js'

export const browser: Platform = {
  supported: 'serviceWorker' in navigator && 'PushManager' in globalThis && 'Notification' in globalThis,
  permission: () => Notification.requestPermission(),
  registration: async () => {
    await navigator.serviceWorker.register(WORKER)
    return navigator.serviceWorker.ready
  },
  existing: () => navigator.serviceWorker.getRegistration(WORKER),
}

/** The bytes of a key in base64url (RFC 7515 §2), as `applicationServerKey` wants them. */
export function bytesOf(key: string): Uint8Array<ArrayBuffer> {
  const text = atob(key.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0))
}

/** Whether notices come to this browser now. */
export async function isOn(platform: Platform = browser): Promise<boolean> {
  if (!platform.supported) return false
  const subscription = await (await platform.existing())?.pushManager.getSubscription()
  return subscription !== null && subscription !== undefined
}

/** Has notices come to this browser; false when the person does not allow it. A subscription with an older key is made anew. */
export async function turnOn(label: string, platform: Platform = browser): Promise<boolean> {
  if ((await platform.permission()) !== 'granted') return false
  const { public_key: key } = await take(api.GET('/api/v1/web-push'))
  const registration = await platform.registration()
  await (await registration.pushManager.getSubscription())?.unsubscribe()
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytesOf(key) })
  const { endpoint, keys } = made.toJSON()
  if (endpoint === undefined || keys?.['p256dh'] === undefined || keys['auth'] === undefined) throw new Error('the browser gave no subscription')
  try {
    await take(api.POST('/api/v1/web-push', { body: { label, endpoint, p256dh: keys['p256dh'], auth: keys['auth'] } }))
  } catch (thrown) {
    await made.unsubscribe()
    throw thrown
  }
  return true
}

/** Nothing comes to this browser any more; its push service tells that to the cloud, which forgets it. Also whoever signs out does this. */
export async function turnOff(platform: Platform = browser): Promise<void> {
  if (!platform.supported) return
  const subscription = await (await platform.existing())?.pushManager.getSubscription()
  await subscription?.unsubscribe()
}
