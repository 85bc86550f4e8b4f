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
    { path: '/r/:link', name: 'request', component: () => import('@/public/RequestPage.vue'), meta: { open: true, bare: true, title: 'request.title' } },
    { path: '/nodes', name: 'nodes', component: () => import('@/nodes/NodesPage.vue'), meta: { title: 'nav.nodes' } },
    { path: '/organisation', name: 'organisation', component: () => import('@/organisation/OrganisationPage.vue'), meta: { title: 'nav.organisation' } },
    { path: '/drills', name: 'drills', component: () => import('@/drills/DrillsPage.vue'), meta: { title: 'nav.drills' } },
    { path: '/handover/:id(\\d+)?', name: 'handover', component: () => import('@/handover/HandoverPage.vue'), meta: { title: 'nav.handover' } },
    { path: '/report', name: 'report', component: () => import('@/reports/ReportPage.vue'), meta: { title: 'nav.report' } },
    { path: '/figures', name: 'figures', component: () => import('@/figures/FiguresPage.vue'), meta: { title: 'nav.figures' } },
    { path: '/verdicts', name: 'verdicts', component: () => import('@/verdicts/VerdictsPage.vue'), meta: { title: 'nav.verdicts' } },
    { path: '/rollouts', name: 'rollouts', component: () => import('@/rollouts/RolloutsPage.vue'), meta: { title: 'nav.rollouts' } },
    { path: '/rollouts/:id', name: 'rollout', component: () => import('@/rollouts/RolloutsPage.vue'), meta: { title: 'nav.rollouts' } },
    { path: '/accounts', name: 'accounts', component: () => import('@/access/AccountsPage.vue'), meta: { title: 'nav.accounts' } },
    { path: '/audit', name: 'audit', component: () => import('@/access/AuditPage.vue'), meta: { title: 'nav.audit' } },
    { path: '/settings/:tab?', name: 'settings', component: () => import('@/settings/SettingsPage.vue'), meta: { title: 'nav.settings' } },
    { path: '/:rest(.*)*', name: 'missing', component: () => import('@/shell/NotFoundPage.vue'), meta: { title: 'notFound.text' } },
  ],
})

router.beforeEach(async (to) => {
  if (to.meta['open'] === true) return true
  if (session.state.user === null) await session.restore()
  return session.state.user === null || session.state.mustChange ? { name: 'login', query: to.fullPath === '/' ? {} : { next: to.fullPath } } : true
})
