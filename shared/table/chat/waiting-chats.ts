import { randomUUID } from 'node:crypto'
import * as z from 'zod/mini'
import { keys, waitingPk } from '../keys.ts'
import type { Op, Reader } from '../ops.ts'
import { absent, is, put, remove } from '../update.ts'
import { type ActiveChat, ActiveItem } from './chats.ts'

/**
 * `LICENSE#<l>#WAITING` / `<chat>`: a copy of the row of an active chat that waits for an agent, so that
 * routing need not read all active ones. Workers alone write it: a chat may be listed that waits no more.
 */
const WaitingItem = z.extend(ActiveItem, {
  /** Another one each time that the chat is listed. */
  listed: z.string(),
})
export type WaitingChat = z.output<typeof WaitingItem>

/** Lists a chat in place of its row as it was read; undefined: it was not listed. */
export const listWaitingChat = (
  license: string,
  row: ActiveChat,
  before: WaitingChat | undefined,
): Op<'waitingChats'> =>
  put(
    keys.waitingChat(license, row.id),
    { ...row, listed: randomUUID() },
    before === undefined ? absent() : is({ listed: before.listed }),
  )

/** Takes a row away as it was read: a chat that has begun to wait anew is listed anew. */
export const unlistWaitingChat = (license: string, { id, listed }: WaitingChat): Op<'waitingChats'> =>
  remove(keys.waitingChat(license, id), is({ listed }))

export const removeWaitingChat = (license: string, id: string): Op<'waitingChats'> =>
  remove(keys.waitingChat(license, id))

export const readWaitingChat = async (
  read: Reader<'waitingChats'>,
  license: string,
  id: string,
): Promise<WaitingChat | undefined> => {
  const row = await read.get(keys.waitingChat(license, id), { strong: true })
  return row === undefined ? undefined : WaitingItem.parse(row)
}

/** Strongly consistent. */
export const readWaitingChats = async (
  read: Reader<'waitingChats'>,
  license: string,
): Promise<WaitingChat[]> => {
  const rows = await read.query({ pk: waitingPk(license), strong: true })
  return rows.map((row) => WaitingItem.parse(row))
}
