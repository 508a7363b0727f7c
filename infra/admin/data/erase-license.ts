import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { conflict, retryOnConflict } from '../../../shared/provisioning/retries.ts'
import { readChat, unlistActiveChat } from '../../../shared/table/chat/chats.ts'
import { removeChat, setErased } from '../../../shared/table/erasing.ts'
import { isKey } from '../../../shared/table/families.ts'
import { changedOf, chatPartOf } from '../../../shared/table/key-parts.ts'
import { type Key, keys, type RawKey } from '../../../shared/table/keys.ts'
import type { Attributes } from '../../../shared/table/ops.ts'
import { remove } from '../../../shared/table/update.ts'
import { ofCustomers, ofLicense, type Scan } from '../cli/scan.ts'
import { eachChatId } from './each-chat.ts'
import { eraseChat, type Erased } from './erase-chat.ts'
import { deletePartition, tokensEndS } from './erase-customer.ts'
import { type Access, withRetries } from './retries.ts'
import { sideBySide } from './side-by-side.ts'

/** What the parts of one run share. */
export interface Run extends Access {
  license: string
  scan: Scan
  /** Aborted where the run is to end: nothing more is begun. */
  stopped: AbortSignal
}

/** Does something with each, some side by side, unless the run is to end. */
const withEach = async <T>(
  { stopped }: Run,
  all: AsyncIterable<T> | Iterable<T>,
  run: (one: T) => Promise<void>,
): Promise<void> => {
  await sideBySide(all, () => stopped.aborted, run)
  stopped.throwIfAborted()
}

/**
 * Takes away what anything could begin with: every customer of the license is one that nobody can be any
 * more, by which its tabs are closed, and no chat has its own item. May run again.
 */
export const lockLicense = async (run: Run): Promise<void> => {
  const { license, scan, stopped, now } = run
  for await (const page of scan(ofCustomers(license))) {
    const customers = page
      .map(keyOf)
      .map(changedOf)
      .flatMap((of) => (of && 'customer' in of ? [of.customer] : []))
    await withEach(run, new Set(customers), async (customer) => {
      const nowMs = now()
      const op = setErased(license, customer, { nowMs, untilS: tokensEndS(nowMs) })
      await withRetries(
        run,
        ({ write }) =>
          retryOnConflict(async () => {
            const outcome = await write.write(op)
            return outcome.done || outcome.found !== undefined ? undefined : conflict
          }),
        { stopped },
      )
    })
  }
  await withEach(run, eachChatId(run, license), (id) => lockChat(run, id))
}

const lockChat = (run: Run, id: string): Promise<void> =>
  withRetries(run, ({ read, write }) =>
    retryOnConflict<void>(async () => {
      const chat = await readChat(read, id)
      if (chat === undefined) return
      const refusals = await write.transact([removeChat(chat), unlistActiveChat(chat)])
      return refusals.length === 0 ? undefined : conflict
    }),
  )

/** Deletes the chats of a locked license, once nothing is under way on them any more. May run again. */
export const eraseChats = (run: Run, texts: boolean, onChat: (erased: Erased) => void): Promise<void> =>
  withEach(run, eachChatId(run, run.license), async (id) =>
    onChat(await withRetries(run, (ctx) => eraseChat(ctx, { license: run.license, id, texts }))),
  )

/** How many were found of what, and deleted. */
export interface Found {
  agents: number
  customers: number
}

const mostPasses = 10

/**
 * Deletes whatever else there is of a license, but its own item: reads the whole table until it finds nothing
 * of it. May run again.
 */
export const eraseOthers = async (run: Run, texts: boolean): Promise<Found> => {
  const found: Found = { agents: 0, customers: 0 }
  for (let pass = 1; pass <= mostPasses; pass += 1) {
    let isAny = false
    for await (const page of run.scan(ofLicense(run.license))) {
      run.stopped.throwIfAborted()
      const items = page.map(keyOf).filter(({ pk, sk }) => !isSame({ pk, sk }, keys.license(run.license)))
      isAny ||= items.length > 0
      await erasePage(run, items, texts)
      for (const of of items.map(changedOf)) {
        if (of?.item === 'agent') found.agents += 1
        if (of?.item === 'customer') found.customers += 1
      }
    }
    if (!isAny) return found
  }
  throw new AdminError(
    `Others keep writing items of license ${run.license}. Find out who, and give the command again.`,
  )
}

const erasePage = async (run: Run, items: readonly Key[], texts: boolean): Promise<void> => {
  await withRetries(run, async ({ read, write }) => {
    // that an event was notified stands under a device, without its license
    for (const { pk, sk } of items) if (sk === keys.device('').sk) await deletePartition({ read, write }, pk)
    const rest = items.filter((key) => chatPartOf(key) === undefined && key.sk !== keys.device('').sk)
    await write.batch(rest.map((key) => remove(key)))
  })
  // one that no list has
  for (const chat of new Set(items.map(chatPartOf).flatMap((part) => (part ? [part.chat] : [])))) {
    await lockChat(run, chat)
    await withRetries(run, (ctx) => eraseChat(ctx, { license: run.license, id: chat, texts }))
  }
}

const keyOf = ({ pk, sk }: Attributes): Key => {
  const key = { pk: String(pk), sk: String(sk) }
  if (!isKey(key)) throw new AdminError(`The table has an item of no known kind: ${key.pk}`)
  return key
}
const isSame = (one: RawKey, other: RawKey): boolean => one.pk === other.pk && one.sk === other.sk
