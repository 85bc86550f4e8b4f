import { createRouter, createWebHistory } from 'vue-router'
import { session } from '@/session/session'

export const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/login', name: 'login', component: () => import('@/session/LoginPage.vue'), meta: { open: true, title: 'session.signIn' } },
    // One component for both, so that opening a case keeps list and map as they are.
    { path: '/', name: 'command', component: () => import('@/cases/CommandPage.vue'), meta: { title: 'nav.command' } },
    { path: '/cases/:id(\\d+)', name: 'case', component: () => import('@/cases/CommandPage.vue'), meta: { title: 'case.title' } },
    { path: '/devices', name: 'devices', component: () => import('@/devices/DevicesPage.vue'), meta: { title: 'nav.devices' } },
    { path: '/devices/:id(\\d+)', name: 'device', component: () => import('@/devices/DevicePage.vue'), meta: { title: 'devices.name' } },
    { path: '/wall', name: 'wall', component: () => import('@/wall/WallPage.vue'), meta: { title: 'nav.wall' } },
    { path: '/maintenance', name: 'maintenance', component: () => import('@/maintenance/MaintenancePage.vue'), meta: { title: 'nav.maintenance' } },
    { path: '/maintenance/:id(\\d+)', name: 'order', component: () => import('@/maintenance/MaintenancePage.vue'), meta: { title: 'orders.title' } },
    { path: '/labels', name: 'labels', component: () => import('@/maintenance/LabelsPage.vue'), meta: { title: 'label.title' } },
    // What a code on a wall opens, for everybody: no log-in, no bar.
    { path: '/c/:token', name: 'public', component: () => import('@/public/PublicPage.vue'), meta: { open: true, bare: true, title: 'public.title' } },
    { path: '/nodes', name: 'nodes', component: () => import('@/nodes/NodesPage.vue'), meta: { title: 'nav.nodes' } },
    { path: '/rollouts', name: 'rollouts', component: () => import('@/rollouts/RolloutsPage.vue'), meta: { title: 'nav.rollouts' } },
    { path: '/rollouts/:id', name: 'rollout', component: () => import('@/rollouts/RolloutsPage.vue'), meta: { title: 'nav.rollouts' } },
    { path: '/:rest(.*)*', name: 'missing', component: () => import('@/shell/NotFoundPage.vue'), meta: { title: 'notFound.text' } },
  ],
})

router.beforeEach(async (to) => {
  if (to.meta['open'] === true) return true
  if (session.state.user === null) await session.restore()
  return session.state.user === null ? { name: 'login', query: to.fullPath === '/' ? {} : { next: to.fullPath } } : true
})
