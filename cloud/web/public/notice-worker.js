/* Shows notices while no page is open: number and severity, nothing of persons or pictures. What they are about is read after signing in. */

const PLACE = /^\d{1,18}$/

/** What is shown of a message; of one that can't be read that there is something. */
function shown(text) {
  let told = {}
  try {
    told = JSON.parse(text) ?? {}
  } catch {
    told = {}
  }
  const title = typeof told.title === 'string' && told.title !== '' ? told.title : '网格 · Gridward'
  const number = typeof told.number === 'string' ? told.number : ''
  const place = PLACE.test(String(told.case ?? '')) ? `/cases/${told.case}` : '/'
  return {
    title,
    options: {
      body: number,
      tag: place,
      renotify: true,
      requireInteraction: told.severity === 'critical',
      icon: '/favicon.svg',
      data: { place },
    },
  }
}

self.addEventListener('push', (event) => {
  const { title, options } = shown(event.data ? event.data.text() : '')
  event.waitUntil(self.registration.showNotification(title, options))
})

self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const place = event.notification.data?.place ?? '/'
  event.waitUntil(
    (async () => {
      const pages = await self.clients.matchAll({ type: 'window', includeUncontrolled: true })
      const open = pages.find((page) => new URL(page.url).pathname === place)
      if (open) return open.focus()
      return self.clients.openWindow(place)
    })(),
  )
})
