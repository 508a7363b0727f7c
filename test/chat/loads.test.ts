import { describe, expect, test } from 'vitest'
import { adjustLoads } from '../../shared/chat/agent-load.ts'
import type { ChatUser } from '../../shared/table/chat/chat-users.ts'
import { setAssignedChat, adjustLoad, incrementLoad } from '../../shared/table/chat/loads.ts'
import { readable } from '../support/readable-op.ts'

const user = (id: string, type: ChatUser['type'] = 'agent', present = true): ChatUser => ({
  id,
  type,
  present,
})
const chat = (active: boolean, ...users: ChatUser[]) => ({ license_id: 'l', active, users })
const by = (moves: Record<string, 1 | -1>) =>
  Object.entries(moves).map(([agent, move]) => ({ op: adjustLoad('l', agent, move) }))
const [ann, ben] = [user('ann'), user('ben')]
const others = [user('carl', 'customer'), user('sue', 'supervisor'), user('old', 'agent', false)]

describe('the loads of agents', () => {
  test('grow by a thread that starts with them, and by no other user’s', () => {
    const started = chat(true, ann, ben, ...others)
    expect(adjustLoads(undefined, started)).toEqual(by({ ann: 1, ben: 1 }))
    expect(adjustLoads({ ...started, active: false }, started)).toEqual(by({ ann: 1, ben: 1 }))
  })

  test('shrink by a thread that is closed', () => {
    const open = chat(true, ann, ben, ...others)
    expect(adjustLoads(open, { ...open, active: false })).toEqual(by({ ann: -1, ben: -1 }))
  })

  test('move with those who join and leave an active thread', () => {
    expect(adjustLoads(chat(true, ann), chat(true, ann, ben))).toEqual(by({ ben: 1 }))
    expect(adjustLoads(chat(true, ann, ben), chat(true, user('ann', 'agent', false), ben))).toEqual(
      by({ ann: -1 }),
    )
    expect(adjustLoads(chat(true, user('ann', 'supervisor')), chat(true, ann))).toEqual(by({ ann: 1 }))
  })

  test('are left as they are by users of a chat without an active thread', () => {
    expect(adjustLoads(chat(false, ann), chat(false, ann, ben))).toEqual([])
    expect(adjustLoads(chat(true, ann, ...others), chat(true, ann))).toEqual([])
  })

  test('rise by whoever comes only where that agent may work', () => {
    const moves = adjustLoads(chat(true, ann), chat(true, ben, user('cyd')), {
      coming: ['ben'],
      onConditionFailed: 'auth',
    })
    expect(moves).toEqual([
      { op: incrementLoad('l', 'ben'), onConditionFailed: 'auth' },
      ...by({ cyd: 1, ann: -1 }),
    ])
  })

  test('of whoever is assigned are moved by the assignment itself', () => {
    expect(
      adjustLoads(chat(true, ann), chat(true, user('ann', 'agent', false), ben), { assigned: 'ben' }),
    ).toEqual(by({ ann: -1 }))
    expect(adjustLoads(undefined, chat(true, ben), { assigned: 'ben' })).toEqual([])
  })
})

test('a chat is assigned on condition that the agent is below its limit', () => {
  expect(readable(setAssignedChat('l', 'ann', 6, 77))).toEqual({
    Update: {
      Key: { pk: 'LICENSE#l#LOAD', sk: 'ann' },
      does: 'SET agent = "ann", assigned_at = 77 ADD active 1',
      when: '(attribute_not_exists(active) OR active < 6)',
    },
  })
})
