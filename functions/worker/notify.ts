import { unmarshall } from '@aws-sdk/util-dynamodb'
import { announceAgent, announceGroup, type ItemChange } from '../../shared/account/announce-account.ts'
import { announceErased } from '../../shared/account/customer-erased.ts'
import { endSessions } from '../../shared/account/disconnect.ts'
import { socketGone, tabGone } from '../../shared/account/presence.ts'
import { agentChanged, licenseChanged } from '../../shared/account/refresh.ts'
import { runWork, type WorkCtx } from '../../shared/delivery/worker-context.ts'
import { enqueueRoutingBy } from '../../shared/chat/enqueue-routing.ts'
import { publishEvents } from '../../shared/events/publish.ts'
import type { StreamChange } from '../../shared/events/stream-change.ts'
import { type Appended, notifyMobile } from '../../shared/mobile/notify-mobile.ts'
import { type BatchResult, failed } from '../../shared/platform/batch.ts'
import { config } from '../../shared/platform/config.ts'
import { measured } from '../../shared/platform/metrics.ts'
import { InternalError } from '../../shared/protocol/errors.ts'
import {
  enqueueStatuses,
  enqueueStatusesOf,
  loadChanged,
  movesStatuses,
} from '../../shared/routing/refresh-statuses.ts'
import { isBanned, readCustomer } from '../../shared/table/customers.ts'
import { parseErased } from '../../shared/table/erasing.ts'
import { changedOf, chatOfEntry } from '../../shared/table/key-parts.ts'
import type { RawKey } from '../../shared/table/keys.ts'
import type { Attributes } from '../../shared/table/ops.ts'
import { readCustomerSockets } from '../../shared/table/socket-lists.ts'

type Image = Parameters<typeof unmarshall>[0]
interface StreamEvent {
  Records: {
    eventName?: string
    dynamodb?: {
      Keys?: Image
      NewImage?: Image
      OldImage?: Image
      SequenceNumber?: string
      /** In Unix seconds. */
      ApproximateCreationDateTime?: number
    }
  }[]
}
type StreamRecord = StreamEvent['Records'][number]

/**
 * The stream's worker for accounts and presence, for mobile notifications where there is a service account
 * for them, and for events where there is a bus. Records come at least once, in order per item. Accounts are
 * acted on by what the table holds now: the first record that fails ends the batch, which comes again from
 * there. Notifications and events come last. Notifications fail no batch, and so hold up no account. Events
 * that are not on the bus have their record come again.
 */
const followAll = async (event: StreamEvent): Promise<BatchResult> => {
  const appended: Appended[] = []
  let failure: BatchResult['batchItemFailures'] = []
  let followed = 0
  for (const record of event.Records) {
    try {
      appended.push(...(await follow(record)))
    } catch (error) {
      failure = failed(record.dynamodb?.SequenceNumber ?? '', 'stream', error)
      break
    }
    followed += 1
  }
  const [left] = await Promise.all([
    config.eventBus() === undefined
      ? undefined
      : publishEvents(event.Records.slice(0, followed).map(changeOf)),
    config.fcmSecretId() === undefined ? undefined : notifyMobile(appended),
  ])
  if (left !== undefined)
    failure = failed(event.Records[left.index]?.dynamodb?.SequenceNumber ?? '', 'events', left.error)
  return { batchItemFailures: failure }
}

export const handler = measured('worker', 'notify', followAll)

const keyOf = ({ Keys = {} }: NonNullable<StreamRecord['dynamodb']>): RawKey => {
  const { pk, sk } = unmarshall(Keys)
  return { pk: String(pk), sk: String(sk) }
}

const changeOf = ({ dynamodb = {} }: StreamRecord): StreamChange => ({
  key: keyOf(dynamodb),
  before: dynamodb.OldImage && unmarshall(dynamodb.OldImage),
  after: dynamodb.NewImage && unmarshall(dynamodb.NewImage),
  atS: Math.floor(dynamodb.ApproximateCreationDateTime ?? Date.now() / 1000),
})

/** Follows a change of an account or a socket; resolves to what was appended to a chat's log. */
const follow = async ({ eventName, dynamodb = {} }: StreamRecord): Promise<Appended[]> => {
  const key = keyOf(dynamodb)
  const chat = chatOfEntry(key)
  if (chat !== undefined)
    return eventName === 'INSERT' && dynamodb.NewImage !== undefined
      ? [{ chat, image: dynamodb.NewImage }]
      : []
  await followAccount(key, eventName, dynamodb)
  return []
}

const followAccount = async (
  key: RawKey,
  eventName: string | undefined,
  { OldImage, NewImage }: NonNullable<StreamRecord['dynamodb']>,
): Promise<void> => {
  const changed = changedOf(key)
  if (changed === undefined) return
  const { license } = changed
  const gone = eventName === 'REMOVE'
  const change: ItemChange = {
    before: OldImage && unmarshall(OldImage),
    after: NewImage && unmarshall(NewImage),
  }
  const differs = (field: string): boolean =>
    JSON.stringify(change.before?.[field]) !== JSON.stringify(change.after?.[field])
  switch (changed.item) {
    case 'agentSocket':
      if (gone)
        await runWork<'notify'>((ctx) => socketGone(ctx, license, changed.agent, config.presenceGraceS()))
      return
    case 'customerSocket':
      if (gone) await runWork((ctx) => tabGone(ctx, license, changed.customer, config.presenceGraceS()))
      return
    case 'customer':
      // stored by a tab that may have been closed before there was anybody to take offline
      if (eventName === 'INSERT')
        await runWork((ctx) => tabGone(ctx, license, changed.customer, config.presenceGraceS()))
      // `ban_customer` does the same; it may have died before it did. Who is erased is banned by it
      if (!gone && differs('ban'))
        await runWork((ctx) => endIfBanned(ctx, license, changed.customer, change.after))
      return
    case 'group':
      await runWork<'notify'>(async (ctx) => {
        if (eventName !== 'MODIFY') await enqueueStatusesOf(ctx, license)
        announceGroup(ctx, license, change)
        await tellAll(ctx)
      })
      return
    case 'license':
      // a new one has no sockets
      if (eventName === 'INSERT' || !differs('version')) return
      await runWork((ctx) => licenseChanged(ctx, license, { isGroupGone: differs('deleted_groups') }))
      return
    case 'agent':
      await runWork<'notify'>(async (ctx) => {
        if (movesStatuses(change.before, change.after)) await enqueueStatuses(ctx, license)
        // presence and statuses write an agent too, and leave its version as it is
        if (!differs('version')) {
          // `update_agent` does the same; it may have died before it did
          if (hasBotLeft(change)) await enqueueRoutingBy(ctx, license, changed.agent, 'offline')
          return
        }
        if (eventName !== 'INSERT') await agentChanged(ctx, license, changed.agent)
        await announceAgent(ctx, license, change)
        await tellAll(ctx)
      })
      return
    case 'load':
      await runWork<'notify'>((ctx) => loadChanged(ctx, changed, activeOf(change)))
  }
}

/** Whether a bot has gone offline, which no connection's end tells. */
const hasBotLeft = ({ before, after }: ItemChange): boolean =>
  after?.['bot'] === true && before?.['online'] === true && after['online'] === false

/** How many chats an agent had, and has. */
const activeOf = ({ before, after }: ItemChange) => ({
  before: Number(before?.['active'] ?? 0),
  after: Number(after?.['active'] ?? 0),
})

/** Sends what nobody else tells: where it is not known to whom, the record comes again. */
const tellAll = async (ctx: WorkCtx): Promise<void> => {
  if (!(await ctx.flush())) throw new InternalError('Those who are to be told could not be read')
}

const endIfBanned = async (
  ctx: WorkCtx,
  license: string,
  customer: string,
  after: Attributes | undefined,
): Promise<void> => {
  const erased = after && parseErased(after)
  if (erased !== undefined) {
    await announceErased(ctx, erased)
    await tellAll(ctx)
  }
  const item = await readCustomer(ctx.read, license, customer)
  if (item !== undefined && isBanned(item, ctx.now()))
    await endSessions(ctx, await readCustomerSockets(ctx.read, license, customer), 'customer_banned')
}
