import type { Role } from '@/api/types'

/** The roles in the order in which a command centre names them. */
export const ROLES: readonly Role[] = ['duty_chief', 'intake_clerk', 'dispatcher', 'grid_worker', 'grid_lead', 'department', 'maintainer', 'auditor', 'administrator']
