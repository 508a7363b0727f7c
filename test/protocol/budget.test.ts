import { describe, expect, test } from 'vitest'
import { answered, refused } from '../../shared/protocol/envelope.ts'
import { errorTable, type ErrorType, ProtocolError } from '../../shared/protocol/errors.ts'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import {
  envelopeBytes,
  fullWhileFit,
  jsonBytes,
  partsThatFit,
  takeThatFit,
} from '../../shared/protocol/budget.ts'

describe('jsonBytes', () => {
  test('counts UTF-8 bytes of JSON, escapes included', () => {
    expect(jsonBytes('é')).toBe(4)
    expect(jsonBytes('😀')).toBe(6)
    expect(jsonBytes('\u0001')).toBe(8)
    expect(jsonBytes('\ud800')).toBe(8)
    expect(jsonBytes({ a: undefined, b: [1, null] })).toBe('{"b":[1,null]}'.length)
  })
})

const items = ['a', 'bb', 'ccc']

describe('takeThatFit', () => {
  test('takes the first items that fit as members of an array', () => {
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
      expect(takeThatFit(items, room), `${room}`).toEqual(items.slice(0, count))
    expect(takeThatFit([], -1)).toEqual([])
  })

  test('never takes more than the room between the brackets, and stops at the first that does not fit', () => {
    for (let room = 2; room < 20; room++)
      expect(jsonBytes(takeThatFit(items, room)) - 2).toBeLessThanOrEqual(room)
    expect(takeThatFit(['long enough', 'a'], 5)).toEqual([])
  })

  test('counts each item once, up to one that does not fit', () => {
    const counted: string[] = []
    const bytesOf = (item: string) => counted.push(item) && item.length
    expect(takeThatFit(['ab', 'cde', 'f'], 4, bytesOf)).toEqual(['ab'])
    expect(counted).toEqual(['ab', 'cde'])
  })
})

test('fullWhileFit keeps all, in full up to the first that has no room beside the slim ones', () => {
  const slim = [1, 2, 3]
  // 4, 5 and 6 bytes; 2 each when slim
  const full = ['1', '22', '333']
  for (const [room, shown] of [
    [-1, [1, 2, 3]],
    [7, [1, 2, 3]],
    [8, ['1', 2, 3]],
    [10, ['1', 2, 3]],
    [11, ['1', '22', 3]],
    [15, ['1', '22', '333']],
  ] as const)
    expect(fullWhileFit(full, slim, room), `${room}`).toEqual(shown)
})

test('partsThatFit leaves no item out, and puts one that is too large alone', () => {
  const most = { count: 2, bytes: 9 }
  expect(partsThatFit([...items, 'd', 'e', 'f', 'much too large'], most)).toEqual([
    ['a', 'bb'],
    ['ccc'],
    ['d', 'e'],
    ['f'],
    ['much too large'],
  ])
  expect(partsThatFit([], most)).toEqual([])
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
