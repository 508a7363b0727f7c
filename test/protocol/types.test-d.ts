import { expectTypeOf } from 'vitest'
import * as z from 'zod/mini'
import { addAgents } from '../../shared/chat/add-agents.ts'
import { planJoin } from '../../shared/chat/membership.ts'
import { sendEvent as send } from '../../shared/chat/send-event.ts'
import { closeThread as close } from '../../shared/chat/close-thread.ts'
import { action } from '../../shared/protocol/action.ts'
import { closeThread } from '../../shared/protocol/agent/close_thread.ts'
import type { getChatThreads } from '../../shared/protocol/agent/get_chat_threads.ts'
import { login } from '../../shared/protocol/agent/login.ts'
import { markEventAsSeen } from '../../shared/protocol/agent/mark_event_as_seen.ts'
import { ping } from '../../shared/protocol/agent/ping.ts'
import { sendEvent } from '../../shared/protocol/agent/send_event.ts'
import type { startChat } from '../../shared/protocol/agent/start_chat.ts'
import { updateCustomer } from '../../shared/protocol/customer/update_customer.ts'
import { getChatsSummary } from '../../shared/protocol/customer/get_chats_summary.ts'
import { pushed } from '../../shared/protocol/envelope.ts'
import type { ChatSummary } from '../../shared/protocol/objects.ts'
import { everyAgent } from '../../shared/access/audience.ts'
import type { Pushing } from '../../shared/delivery/outbox.ts'
import type { Ctx } from '../../shared/request/context.ts'
import { serve } from '../../shared/request/serve.ts'
import { runWork, type WorkCtx } from '../../shared/delivery/worker-context.ts'
import type { SocketWrites } from '../../shared/platform/writes.ts'
import { requireAgentActive } from '../../shared/table/accounts.ts'
import { type Chat, putNewChat, requireChatUnchanged } from '../../shared/table/chat/chats.ts'
import type { Table } from '../../shared/table/client.ts'
import { requireNotBanned } from '../../shared/table/customers.ts'
import type { Common } from '../../shared/table/families.ts'
import { activePk, chatsPk, keys } from '../../shared/table/keys.ts'
import type { Tail } from '../../shared/table/chat/thread-log.ts'
import { putPosting } from '../../shared/table/archive/postings.ts'
import type { Op, Reader, Writer } from '../../shared/table/ops.ts'
import { type CustomerSession, type Session } from '../../shared/table/sockets.ts'
import { putSocket } from '../../shared/table/session-writes.ts'

// A contract is the type of its story. `npm run typecheck` proves this file, and nothing runs it: a line that
// must not compile differs from one above it that does in nothing but what its comment names.

declare const answer: never
const everyone = everyAgent('l')

// ---- what a story may touch: the contract's `needs` and `writes`

expectTypeOf<Ctx<typeof getChatThreads>['read']>().toEqualTypeOf<Reader>()
expectTypeOf<Ctx<typeof sendEvent>['read']>().toEqualTypeOf<Reader<Common | 'loads'>>()
expectTypeOf<Ctx<typeof sendEvent>>().toHaveProperty('push')
expectTypeOf<Ctx<typeof getChatThreads>>().toHaveProperty('read')
expectTypeOf<Ctx<typeof getChatThreads>>().not.toHaveProperty('write')
expectTypeOf<Ctx<typeof getChatThreads>>().not.toHaveProperty('push')
expectTypeOf<Ctx<typeof ping>>().not.toHaveProperty('read')
expectTypeOf<Ctx<typeof updateCustomer>['write']>().toEqualTypeOf<Writer<'customer' | 'socket'>>()

export const writing = serve(updateCustomer, async ({ write, me }, _) => {
  const { license_id: license, customer_id: id } = me
  await write.write({ Delete: { Key: keys.customer(license, id) } })
  // @ts-expect-error -- the contract does not name identities
  await write.write({ Delete: { Key: keys.identity('issuer', id) } })
  await write.transact([requireNotBanned(license, id, 0), putSocket('c', 0)])
  // @ts-expect-error -- nor agents, which a transaction would check
  await write.transact([requireNotBanned(license, id, 0), requireAgentActive(license, 'a')])
  await write.batch([putSocket('c', 0)])
  // @ts-expect-error -- nor the index, in a batch
  await write.batch([putPosting(license, 'l', { at: 0, id })])
  // @ts-expect-error -- nor by an update of a list that its own family's pattern takes as well
  await write.write({ Update: { Key: keys.customerSocket(license, id, 'c'), UpdateExpression: '' } })
  // @ts-expect-error -- a key that is not made by `keys` is of no family
  await write.write({ Delete: { Key: { pk: 'CUSTOMER#l#c', sk: 'CUSTOMER' } } })
  return answer
})

export const reading = serve(login, async ({ read }) => {
  await read.get(keys.identity('issuer', 'subject'))
  // @ts-expect-error -- the contract does not name addresses
  await read.get(keys.address('1.1.1.1', 0))
  await read.query({ pk: activePk('l') })
  // @ts-expect-error -- nor the list of all chats
  await read.query({ pk: chatsPk('l') })
  await read.batchGet([keys.device('hash'), keys.agent('l', 'a')])
  // @ts-expect-error -- nor the index
  await read.batchGet([keys.device('hash'), keys.mark('l', 'list', '2026-01')])
  return answer
})

// a family is what the key says, also where it is named otherwise
export const named: Op<'chat'> = { Delete: { Key: keys.chat('c') } }
// @ts-expect-error -- the key of another family
export const misnamed: Op<'chat'> = { Delete: { Key: keys.license('l') } }

// ---- what workers and the gateway's own routes may write: `runtime/writes.ts`

export const working = [
  () =>
    runWork<'clock'>(
      async (ctx) => void (await ctx.write.transact([putSocket('c', 0), requireChatUnchanged(answer)])),
    ),
  // @ts-expect-error -- the clock writes no customers
  () => runWork<'clock'>(async (ctx) => void (await ctx.write.transact([requireNotBanned('l', 'c', 0)]))),
  () => runWork(async (ctx) => void (await ctx.write.write(putSocket('c', 0)))),
  // @ts-expect-error -- without the name of a worker nothing but connections
  () => runWork(async (ctx) => void (await ctx.write.write(putNewChat(answer)))),
  // @ts-expect-error -- nor by what it is asked to run
  () => runWork(async (_: WorkCtx<'chat'>) => {}),
  ({ write }: Table<SocketWrites['connect']>) => write.write({ Delete: { Key: keys.socket('c') } }),
  // @ts-expect-error -- `$connect` writes connections alone
  ({ write }: Table<SocketWrites['connect']>) => write.write({ Delete: { Key: keys.address('c', 0) } }),
]

// ---- what it is given: the contract's `reads`, `session` and `by`

expectTypeOf<Ctx<typeof sendEvent>['chat']>().toEqualTypeOf<Chat>()
expectTypeOf<Ctx<typeof sendEvent>['tail']>().toEqualTypeOf<Tail>()
expectTypeOf<Ctx<typeof getChatThreads>['chat']>().toEqualTypeOf<Chat>()
expectTypeOf<Ctx<typeof getChatThreads>>().not.toHaveProperty('tail')
expectTypeOf<Ctx<typeof startChat>>().not.toHaveProperty('chat')
expectTypeOf<Ctx<typeof login>>().not.toHaveProperty('me')
expectTypeOf<Ctx<typeof getChatThreads>['me']>().toEqualTypeOf<Session>()
expectTypeOf<Ctx<typeof getChatsSummary>['me']>().toEqualTypeOf<CustomerSession>()

// ---- what it may push: the contract's `pushes`

type Some = Pushing<'incoming_event' | 'incoming_chat_thread'>
expectTypeOf<Some>().toExtend<Pushing<'incoming_event'>>()
expectTypeOf<Pushing<'incoming_event'>>().not.toExtend<Some>()
// also where it is no longer known to be a `Pushing`
expectTypeOf<{ push: Some['push'] }>().toExtend<{ push: Pushing<'incoming_event'>['push'] }>()
expectTypeOf<{ push: Pushing<'incoming_event'>['push'] }>().not.toExtend<{ push: Some['push'] }>()

export const closes = serve(closeThread, async (ctx) => {
  ctx.push(everyone, 'incoming_event', answer)
  // @ts-expect-error -- the contract does not name this push
  ctx.push(everyone, 'chat_users_updated', answer)
  ctx.push(everyone, 'thread_closed', { chat_id: 'c', thread_id: 't' })
  // @ts-expect-error -- a push without a field of its table
  ctx.push(everyone, 'thread_closed', { chat_id: 'c' })
  // @ts-expect-error -- a push with a field that its table lacks
  ctx.push(everyone, 'thread_closed', { chat_id: 'c', thread_id: 't', by: 'me' })
})

export const frames = [
  pushed('agent_disconnected', { reason: 'access_token_expired' }),
  pushed('customer_disconnected', { reason: 'customer_banned' }),
  // @ts-expect-error -- a reason that only agents are given
  pushed('customer_disconnected', { reason: 'access_token_expired' }),
]

// ---- the same by way of shared code

const declared = {
  name: 'x',
  summary: 'X.',
  request: z.object({}),
  response: null,
  needs: ['read', 'push'],
  alsoReads: ['loads'],
  writes: ['account', 'customer', 'chat', 'chats', 'activeChats', 'waitingChats', 'changedChats', 'loads'],
  pushes: [
    'incoming_event',
    'incoming_chat_thread',
    'chat_users_updated',
    'chat_properties_updated',
    'chat_thread_properties_updated',
  ],
  session: 'required',
  reads: ['chat', 'tail'],
} as const
const all = action(declared)
const { writes: _, ...writesNothing } = declared
const withoutWrite = action(writesNothing)
const withoutLoads = action({ ...declared, writes: ['chat', 'activeChats'] })
const withoutReads = action({ ...declared, alsoReads: ['device'] })
const withoutTail = action({ ...declared, reads: ['chat'] })
const withoutUsers = action({
  ...declared,
  pushes: [
    'incoming_event',
    'incoming_chat_thread',
    'chat_properties_updated',
    'chat_thread_properties_updated',
  ],
})
const withoutThreadProperties = action({
  ...declared,
  pushes: ['incoming_event', 'incoming_chat_thread', 'chat_users_updated', 'chat_properties_updated'],
})

export const sharing = [
  serve(all, async (ctx) => void (await close(ctx, undefined))),
  // @ts-expect-error -- it may not write, which closing does
  serve(withoutWrite, async (ctx) => void (await close(ctx, undefined))),
  // @ts-expect-error -- it may not write loads, which closing moves
  serve(withoutLoads, async (ctx) => void (await close(ctx, undefined))),
  // @ts-expect-error -- it is given no tail, which closing appends to
  serve(withoutTail, async (ctx) => void (await close(ctx, undefined))),

  serve(all, async (ctx) => void (await send(ctx, answer, ''))),
  // @ts-expect-error -- it may not read loads, which a thread that starts is routed by
  serve(withoutReads, async (ctx) => void (await send(ctx, answer, ''))),
  // @ts-expect-error -- it may not push `chat_users_updated`, which sending may
  serve(withoutUsers, async (ctx) => void (await send(ctx, answer, ''))),

  serve(all, (ctx) => addAgents(ctx, [], planJoin)),
  // @ts-expect-error -- it may not push `chat_thread_properties_updated`, which adding agents may
  serve(withoutThreadProperties, (ctx) => addAgents(ctx, [], planJoin)),
  // @ts-expect-error -- nor may it with a context made of its own
  serve(withoutThreadProperties, (ctx) => addAgents({ ...ctx, push: ctx.push }, [], planJoin)),
]

// ---- what it is asked, and answers: the contract's `request` and `response`

export const answering = [
  serve(closeThread, async (_, payload) => {
    expectTypeOf(payload).toHaveProperty('chat_id')
    expectTypeOf(payload).not.toHaveProperty('agent_ids')
  }),

  serve(markEventAsSeen, async () => {}),
  // @ts-expect-error -- an answer with a payload where the contract has none
  serve(markEventAsSeen, async () => ({ seen: true })),
  serve(ping, async () => ({ cursor: 'c' })),

  serve(sendEvent, async () => ({ thread_id: 't', event: answer })),
  // @ts-expect-error -- an answer without a payload where the contract has one
  serve(sendEvent, async () => {}),
  // @ts-expect-error -- an answer that lacks a field
  serve(sendEvent, async () => ({ thread_id: 't' })),
  // @ts-expect-error -- an answer with a field of another type
  serve(sendEvent, async () => ({ thread_id: 1, event: answer })),

  serve(getChatsSummary, async () => ({ chats_summary: [], pagination: answer })),
  // @ts-expect-error -- what agents are shown, where the answer is to a customer
  serve(getChatsSummary, async () => ({ chats_summary: [{} as ChatSummary], pagination: answer })),
]

// ---- what a contract may declare

export const contracts = [
  action({ ...declared, may: 'member', tokenScopes: { any: ['broadcast:write'] }, denied: 'No.' }),
  // @ts-expect-error -- a token scope that the protocol does not have
  action({ ...declared, may: 'member', tokenScopes: { any: ['chats:read'] }, denied: 'No.' }),
  action({ ...declared, by: 'customer', pushes: ['incoming_sneak_peek', 'customer_updated'] }),
  // @ts-expect-error -- an endpoint that there is not
  action({ ...declared, by: 'visitor', pushes: ['incoming_sneak_peek', 'customer_updated'] }),
  // @ts-expect-error -- a push that no table has
  action({ ...declared, pushes: ['incoming_fax'] }),
  // @ts-expect-error -- a push of the customers' table: what they are pushed is made of what agents are
  action({ ...declared, pushes: ['customer_disconnected'] }),
  // @ts-expect-error -- a need that there is not
  action({ ...declared, needs: ['scan'] }),
  // @ts-expect-error -- a family that the table does not have
  action({ ...declared, writes: ['chat', 'room'] }),
  // @ts-expect-error -- what `serve` does not fetch
  action({ ...declared, reads: ['archives'] }),
]
