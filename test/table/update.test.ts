import { afterAll, describe, expect, test } from 'vitest'
import { openTable } from '../../shared/table/client.ts'
import { keys } from '../../shared/table/keys.ts'
import {
  absent,
  absentOr,
  and,
  atVersion,
  check,
  compare,
  type Condition,
  exists,
  ifNotExists,
  is,
  isOff,
  lacks,
  or,
  put,
  remove,
  update,
} from '../../shared/table/update.ts'
import { freshTable, startEngines } from '../support/engines.ts'
import { readable } from '../support/readable-op.ts'

const engines = await startEngines()
afterAll(() => Promise.all(engines.map((engine) => engine.stop())))

const key = keys.agent('l', 'ann')
const item = { version: 4, online: false, map: { until: 7, gone: true }, list: ['a'], name: 'Ann' }

const holds: Condition[] = [
  ...[exists(), exists('map.until'), absent('size'), absent('map.size')],
  ...[compare('version', '=', 4), compare('name', '<>', 'Ben'), compare('version', '<', 5)],
  ...[compare('map.until', '<=', 7), compare('map.until', '>', 6), lacks('list', 'b'), lacks('size', 'b')],
  is({ version: 4, name: 'Ann', 'map.until': 7, list: ['a'], size: undefined }),
  ...[atVersion(4), atVersion(0, 'tags_version'), isOff('online'), isOff('deleted')],
  ...[absentOr('size', '<', 1), absentOr('version', '<', 5), and(undefined, exists())],
  or(is({ version: 5 }), and(is({ version: 4 }), or(absent('name'), is({ name: 'Ann' })))),
  and(or(is({ version: 5 }), exists()), or(exists(), absent()), is({ version: 4 })),
]
const fails: Condition[] = [
  ...[absent(), exists('size'), exists('map.size'), absent('map.until')],
  ...[compare('version', '=', 5), compare('name', '<>', 'Ann'), compare('version', '<', 4)],
  ...[compare('map.until', '<=', 6), compare('map.until', '>', 7), lacks('list', 'a')],
  ...[is({ version: 4, name: undefined }), is({ version: 4, name: 'Ben' }), compare('size', '<', 5)],
  ...[
    atVersion(0),
    atVersion(3),
    atVersion(4, 'tags_version'),
    isOff('map.gone'),
    absentOr('version', '>', 4),
  ],
  or(is({ version: 5 }), and(is({ version: 4 }), absent('name'))),
  and(or(exists(), absent()), is({ version: 5 })),
]

describe.each(engines)('$label', async ({ endpoint }) => {
  const { read, write } = openTable(await freshTable(endpoint))
  const stored = async () => {
    const { pk: _, sk: __, ...attributes } = (await read.get(key, { strong: true })) ?? {}
    return attributes
  }

  test('takes every condition, of writes and in transactions, and judges it', async () => {
    await write.write(put(key, item))
    for (const [conditions, done] of [[holds, true] as const, [fails, false] as const])
      for (const when of conditions) {
        const op = update(key, { set: { tries: 1 }, when })
        expect(await write.write(op), JSON.stringify(readable(op))).toMatchObject({ done })
        const refusals = await write.transact([check(key, when), put(keys.agent('l', 'ben'))])
        expect(refusals, JSON.stringify(readable(op))).toHaveLength(done ? 0 : 1)
      }
    expect(await stored()).toEqual({ ...item, tries: 1 })
  })

  test('sets, removes and adds in one write, by paths too, whatever the names', async () => {
    await write.write(put(key, item))
    const set = { name: undefined, size: 1, 'map.until': 9, before: ifNotExists('version', 0) }
    const change = {
      set: { ...set, first: ifNotExists('tags_version', 0), select: true },
      add: { version: 2, count: 3, ids: new Set(['x', 'y']) },
      remove: ['list', 'map.gone'],
    }
    expect(await write.write(update(key, { ...change, when: is({ version: 4 }) }))).toMatchObject({
      done: true,
    })
    expect(await stored()).toEqual({
      ...{ online: false, map: { until: 9 }, size: 1, before: 4, first: 0, select: true },
      ...{ version: 6, count: 3, ids: new Set(['x', 'y']) },
    })
  })

  test('makes, replaces and deletes an item on a condition', async () => {
    const other = keys.agent('l', 'cyd')
    expect(await write.write(update(other, { add: { seq: 1 } }))).toMatchObject({ done: true })
    expect(await write.write(put(other, { seq: 9 }, absent()))).toMatchObject({ done: false })
    expect(await write.write(put(other, { seq: 9 }, is({ seq: 1 })))).toMatchObject({ done: true })
    expect(await write.write(remove(other, is({ seq: 1 })))).toMatchObject({ done: false })
    expect(await write.write(remove(other, is({ seq: 9 })))).toMatchObject({ done: true })
    expect(await read.get(other)).toBeUndefined()
  })
})

test('a name has one placeholder in a write, and so has a value; a write without a condition has none', () => {
  expect(update(key, { set: { away: true }, when: is({ away: undefined, online: true, seq: 9 }) })).toEqual({
    Update: {
      Key: key,
      UpdateExpression: 'SET #away = :0',
      ConditionExpression: 'attribute_not_exists(#away) AND #online = :0 AND #seq = :1',
      ExpressionAttributeNames: { '#away': 'away', '#online': 'online', '#seq': 'seq' },
      ExpressionAttributeValues: { ':0': true, ':1': 9 },
    },
  })
  expect(update(key, { remove: ['away'] })).toEqual({
    Update: { Key: key, UpdateExpression: 'REMOVE #away', ExpressionAttributeNames: { '#away': 'away' } },
  })
  expect(put(key, { seq: 1 })).toEqual({ Put: { Item: { ...key, seq: 1 } } })
  expect(remove(key)).toEqual({ Delete: { Key: key } })
})
