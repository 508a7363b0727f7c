import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, ScanCommand } from '@aws-sdk/lib-dynamodb'
import { expect } from 'vitest'
import { runAdmin } from '../../infra/admin/main.ts'
import type { Io } from '../../infra/admin/cli/output.ts'
import { localClientConfig } from '../../infra/local/engine/engine.ts'
import { customerChatId } from '../../shared/table/ids.ts'
import { changedPk, keys } from '../../shared/table/keys.ts'
import type { Attributes } from '../../shared/table/ops.ts'
import { calm } from '../races/holding.ts'
import { startEngineProxy } from '../support/engine-proxy.ts'
import { mapAtOnce } from '../support/map-at-once.ts'
import { type License, startWorld, type World } from '../support/world.ts'

export interface Item extends Record<string, unknown> {
  pk: string
  sk: string
}

/** Those in which one of these stands, anywhere, in any case. */
export const tracesIn = (items: readonly Item[], ...needles: string[]): Item[] => {
  const wanted = needles.map((needle) => needle.toLowerCase())
  return items.filter((item) => {
    const text = JSON.stringify(item, (_, value) => (value instanceof Set ? [...value] : value)).toLowerCase()
    return wanted.some((needle) => text.includes(needle))
  })
}

/** A whole backend with its index, and the commands that an operator gives beside it. */
export async function openDataWorld() {
  const world = await startWorld({ index: true })
  // by which only the commands' own calls go wrong
  const proxy = await startEngineProxy(world.proxy.endpoint)
  const client = new DynamoDBClient(localClientConfig(world.proxy.endpoint))
  const documents = DynamoDBDocumentClient.from(client)
  const localDir = await mkdtemp(join(tmpdir(), 'data-'))
  await writeFile(
    join(localDir, 'stack.json'),
    JSON.stringify({ endpoint: proxy.endpoint, table: world.tableName, issuer: 'x', audience: 'x' }),
  )

  /** What is waited for has ended, whatever the time that it is given. */
  const pause = () => calm(world)

  async function admin(argv: string[], more: Partial<Io> = {}) {
    let [out, err] = ['', '']
    const code = await runAdmin(argv, {
      out: (text) => (out += text),
      err: (text) => (err += text),
      env: {},
      localDir,
      now: () => Date.now(),
      pause,
      ...more,
    })
    return { code, out, err }
  }

  async function everything(): Promise<Item[]> {
    const found: Record<string, unknown>[] = []
    let ExclusiveStartKey: Record<string, unknown> | undefined
    do {
      const page = await documents.send(
        new ScanCommand({
          TableName: world.tableName,
          ConsistentRead: true,
          ...(ExclusiveStartKey && { ExclusiveStartKey }),
        }),
      )
      found.push(...(page.Items ?? []))
      ExclusiveStartKey = page.LastEvaluatedKey
    } while (ExclusiveStartKey !== undefined)
    return found as Item[]
  }

  return {
    world,
    localDir,
    proxy,
    admin,
    everything,
    /** Items of the whole table in which one of these stands, anywhere, in any case. */
    traces: async (...needles: string[]): Promise<Item[]> => tracesIn(await everything(), ...needles),
    /**
     * Has the command die, and runs it again, at each of its calls, or at some: that call is done, and its
     * answer and all else fails. `check` looks at all items once all is done. Resolves to how many calls
     * there were to die at.
     */
    async dyingAtEachCall(
      prepare: () => Promise<{ argv: string[]; check(items: readonly Item[]): void }>,
      { every = 1 }: { every?: number } = {},
    ): Promise<number> {
      const whole = await prepare()
      await calm(world)
      let calls = 0
      proxy.setFault(() => {
        calls += 1
        return undefined
      })
      expect(await admin(whole.argv)).toMatchObject({ code: 0 })
      proxy.setFault(undefined)
      const steps = Array.from({ length: Math.ceil(calls / every) }, (_, i) => 1 + i * every)
      const dying = await mapAtOnce(steps, async (step) => ({ step, ...(await prepare()) }))
      // not before: one that has not logged in yet would be closed
      await calm(world)
      for (const { step, argv } of dying) {
        let made = 0
        let stop = () => {}
        proxy.setFault(() => {
          if ((made += 1) < step) return undefined
          stop()
          return { errorType: 'ValidationException', afterWrite: made === step }
        })
        const first = await admin(argv, {
          onInterrupt: (run) => {
            stop = run
            return () => {}
          },
        })
        proxy.setFault(undefined)
        const again = first.code === 0 ? first : await admin(argv)
        // the very last call was done
        if (again.code !== 0 && !again.err.includes('There is no license'))
          throw new Error(`Died at call ${step}: ${again.err}`)
      }
      await calm(world)
      const items = await everything()
      whole.check(items)
      for (const { step, check } of dying) {
        try {
          check(items)
        } catch (error) {
          throw new Error(`Died at call ${step}`, { cause: error })
        }
      }
      return calls
    },
    async close() {
      client.destroy()
      await proxy.stop()
      await rm(localDir, { recursive: true })
    },
  }
}
export type DataWorld = Awaited<ReturnType<typeof openDataWorld>>

export const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })

/**
 * A customer that has told all that it can, with a chat of two threads, the second of which is active, and
 * two tabs; `brief`: with one of each.
 */
export const knownCustomer = async (
  world: World,
  license: License,
  { brief = false, isCalm = true } = {},
) => {
  // whatever the customer says holds it
  const clue = `q${randomUUID().slice(0, 8)}`
  const headers = { 'user-agent': `browser-${clue}` }
  const page = { url: `https://shop.example.com/${clue}`, title: `Shop ${clue}` }
  const { client, id, token } = await license.visit(
    {
      customer: {
        name: `Zoe ${clue}`,
        email: `${clue}@example.com`,
        properties: { shoe: clue },
        monitoring: { page, timezone: 'UTC' },
      },
    },
    headers,
  )
  const { chat } = await client.ok('start_chat', {
    chat: {
      properties: { order: { note: clue } },
      thread: { properties: { rating: { comment: clue } }, events: [message(`${clue} one`)] },
    },
  })
  const chat_id: string = chat.id
  const known = { client, id, token, chat_id, clue, clues: [clue, id, chat_id] }
  // done for many side by side, it would close those that have not logged in yet
  const settle = () => (isCalm ? calm(world) : undefined)
  if (brief) {
    await settle()
    return { ...known, tab: client }
  }
  await client.ok('close_thread', { chat_id })
  await client.ok('start_chat', { chat: { thread: { events: [message(`${clue} two`)] } } })
  await client.ok('mark_event_as_seen', { chat_id, event_id: `${chat_id}_2_1` })
  const { client: tab } = await license.visit({ token }, headers)
  await settle()
  return { ...known, tab }
}
export type KnownCustomer = Awaited<ReturnType<typeof knownCustomer>>

/** What stays of a customer. */
const tombstone = (license: License, id: string) => ({
  ...keys.customer(license.id, id),
  id,
  license_id: license.id,
  erased_at: expect.any(Number),
  ban: { days: 0, until: expect.any(Number), by: '' },
  ttl: expect.any(Number),
})

/**
 * Nothing holds anything of the customer's, but what says that it was erased, and, for two days, the notes by
 * which apps that sync learn that its chat is gone.
 */
export const expectErased = (traces: readonly Attributes[], license: License, id: string): void => {
  const notes = traces.filter(({ pk }) => pk === changedPk(license.id))
  expect(traces.filter((item) => !notes.includes(item))).toEqual([tombstone(license, id)])
  for (const { pk: _, sk: __, ...note } of notes)
    expect(note).toEqual({
      ...('chat' in note ? { chat: customerChatId(license.id, id) } : { customer: id }),
      ...{ at: expect.any(Number), ttl: expect.any(Number) },
    })
}
