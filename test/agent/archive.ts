import { expect, onTestFinished } from 'vitest'
import { message } from '../support/events.ts'
import type { Client } from '../support/client.ts'
import type { AgentDraft, World } from '../support/world.ts'

// Threads that are there to be found, and how they are asked for.

export const action = 'get_archives'
export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i)

export const start = async (
  client: Client,
  chat: object = {},
  initial_events: object[] = [],
): Promise<string> => (await client.ok('start_chat', { chat, initial_events })).chat.id
/** Starts a chat of messages of these texts. */
export const saying = (client: Client, ...texts: string[]) =>
  start(
    client,
    {},
    texts.map((text) => message(text)),
  )
/** Starts chats one after the other, each later by a millisecond at least. */
export const startInOrder = async (client: Client, chats: object[]): Promise<string[]> => {
  const ids: string[] = []
  for (const chat of chats) ids.push(await start(client, chat))
  return ids
}
export const say = (client: Client, chat_id: string, text: string, more: object = {}) =>
  client.ok('send_event', { chat_id, event: message(text, more) })
/** Closes the active thread and starts the next one with a message. */
export const goOn = async (client: Client, chat_id: string, text: string): Promise<string> => {
  await client.ok('close_thread', { chat_id })
  return (await say(client, chat_id, text)).thread_id
}
/** The first threads of chats. */
export const firstOf = (...ids: (string | undefined)[]) => ids.map((id) => `${id}_1`)

export const threadsOf = ({ chats }: { chats: { chat: any }[] }): any[] =>
  chats.map(({ chat }) => chat.thread)
export const idsOf = (answer: { chats: { chat: any }[] }): string[] => threadsOf(answer).map(({ id }) => id)
export const search = (client: Client, filters?: object | null, pagination?: object | null) =>
  client.ok(action, { filters, pagination })
/** The ids of the threads that are found. Where all of them are on the page, it is they that are counted. */
export const found = async (
  client: Client,
  filters?: object | null,
  pagination?: object,
): Promise<string[]> => {
  const answer = await search(client, filters, pagination)
  if (pagination === undefined) expect(answer.pagination).toEqual({ page: 1, total: answer.chats.length })
  return idsOf(answer)
}
export const byWords = (client: Client, query: string) => found(client, { query })
export const byProperties = (client: Client, properties: object) => found(client, { properties })

export const alone = async (world: World, draft: AgentDraft = {}) => {
  const license = await world.license({ ann: draft })
  return { license, ann: await license.login('ann') }
}

/** Keeps the index as it is until the function that this resolves to is called, which lets it catch up. */
export const holdIndex = async (world: World): Promise<() => Promise<void>> => {
  await world.settled()
  const released = Promise.withResolvers<undefined>()
  // also where the test fails before
  onTestFinished(() => released.resolve(undefined))
  const writes = new Set(['PutItem', 'BatchWriteItem', 'TransactWriteItems'])
  world.proxy.setFault(({ operation, request }) =>
    writes.has(operation) && JSON.stringify(request).includes('"INDEX#') ? released.promise : undefined,
  )
  return async () => {
    released.resolve(undefined)
    world.proxy.setFault(undefined)
    await world.settled()
  }
}

export const frameBytes = 120 * 1024
/** The answer, and how large its frame was. */
export const answered = async (client: Client, filters: object, pagination?: object) => {
  await client.received()
  const answer = await search(client, filters, pagination)
  return { answer, bytes: Buffer.byteLength(client.answers.at(-1)!) }
}
export const orders = ({ events }: any): number[] => events.map(({ order }: any) => order)
