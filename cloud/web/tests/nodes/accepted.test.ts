import { describe, expect, it } from 'vitest'
import { secretsCommand } from '@/nodes/accepted'

describe('secretsCommand', () => {
  it('gives secrets to a node that is enrolled already', () => {
    expect(secretsCommand({ node: 'gate-9', district: '110105', area: '110105001001003' })).toBe(
      'gridward-cloud node add gate-9 --district 110105 --area 110105001001003 --replace',
    )
  })
})
