import { describe, expect, test } from 'vitest'
import { answered, refused } from '../../shared/protocol/envelope.ts'
import { errorTable, type ErrorType, ProtocolError } from '../../shared/protocol/errors.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { envelopeBytes, countThatFit, jsonBytes } from '../../shared/chat/view/frame-budget.ts'

describe('jsonBytes', () => {
  test('counts UTF-8 bytes of JSON, escapes included', () => {
    expect(jsonBytes('é')).toBe(4)
    expect(jsonBytes('😀')).toBe(6)
    expect(jsonBytes('\u0001')).toBe(8)
    expect(jsonBytes('\ud800')).toBe(8)
    expect(jsonBytes({ a: undefined, b: [1, null] })).toBe('{"b":[1,null]}'.length)
  })
})

describe('fitting', () => {
  const items = ['a', 'bb', 'ccc']

  test('counts the first items that fit as members of an array', () => {
    // 4, 9 and 15 bytes with their commas
    for (const [room, count] of [
      [-1, 0],
      [0, 0],
      [3, 0],
      [4, 1],
      [8, 1],
      [9, 2],
      [14, 2],
      [15, 3],
      [1000, 3],
    ] as const)
      expect(countThatFit(items, room), `${room}`).toBe(count)
    expect(countThatFit([], -1)).toBe(0)
  })

  test('never takes more than the room between the brackets, and stops at the first that does not fit', () => {
    for (let room = 2; room < 20; room++)
      expect(jsonBytes(items.slice(0, countThatFit(items, room))) - 2).toBeLessThanOrEqual(room)
    expect(countThatFit(['long enough', 'a'], 5)).toBe(0)
  })
})

test('the largest envelope of an answer fits into the room kept for it', () => {
  const id = '\u0001'.repeat(128)
  for (const { name } of agentActions) {
    expect(Buffer.byteLength(answered({ id, request_id: id, action: name }, {}))).toBeLessThan(envelopeBytes)
    for (const type of Object.keys(errorTable) as ErrorType[])
      expect(
        Buffer.byteLength(refused({ id, request_id: id, action: name }, new ProtocolError(type))),
      ).toBeLessThan(envelopeBytes)
  }
})
