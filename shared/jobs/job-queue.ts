import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import * as z from 'zod/mini'
import { config } from '../platform/config.ts'
import { CustomerDisconnectReason, DisconnectReason } from '../protocol/disconnect-reasons.ts'
import { ChatItem } from '../table/chat/chats.ts'
import { SessionEnd } from '../table/sockets.ts'

/** A connection that a push is meant for. */
const Target = z.union([
  z.object({ license_id: z.string(), agent_id: z.string(), connection: z.string() }),
  z.object({ license_id: z.string(), customer_id: z.string(), connection: z.string() }),
])

/** What a customer shows of itself for a moment. */
export const Momentary = z.enum(['send_typing_indicator', 'send_sneak_peek'])
export type Momentary = z.output<typeof Momentary>

/**
 * A job of the delay queue, done later by its one worker. Each job may run twice and says enough to find
 * out.
 */
export const Job = z.discriminatedUnion('job', [
  /** Closes a connection whose session is over, unless it has been renewed since. */
  z.object({
    job: z.literal('end_session'),
    connection: z.string(),
    reason: z.union([SessionEnd, CustomerDisconnectReason]),
  }),
  /** Closes a connection, whatever its session. */
  z.object({
    job: z.literal('close'),
    connection: z.string(),
    reason: z.union([DisconnectReason, CustomerDisconnectReason]),
  }),
  /**
   * Tells of what a request has written, or may have, by its keys, since it could not do so itself; `before`:
   * the chat as it had read it; `tag`: the one that it asked for.
   */
  z.object({
    job: z.literal('tell_written'),
    keys: z.array(z.tuple([z.string(), z.string()])),
    action: z.string(),
    before: z.optional(ChatItem),
    tag: z.optional(z.string()),
  }),
  /** Tells the last that a customer has shown of itself for a moment. */
  z.object({
    job: z.literal('tell_pending'),
    action: Momentary,
    license_id: z.string(),
    customer_id: z.string(),
  }),
  /** Closes a connection that has not logged in. */
  z.object({ job: z.literal('expect_login'), connection: z.string() }),
  /** Frames that did not go through, in order, for each target. */
  z.object({ job: z.literal('push'), targets: z.array(Target), frames: z.array(z.string()), tries: z.int() }),
  /**
   * What a login may have missed: per chat of its answer the thread, the order and the version answered, and
   * between which times (ms) changes can have been pushed to others without this connection being in their
   * audience.
   */
  z.object({
    job: z.literal('catch_up'),
    connection: z.string(),
    chats: z.record(z.string(), z.tuple([z.int(), z.int(), z.int()])),
    since: z.int(),
    until: z.int(),
  }),
  /**
   * What a connection may have missed of a chat that its agent has begun to follow, behind what it was shown:
   * events whose senders had read the chat before this version of it.
   */
  z.object({
    job: z.literal('catch_up_follower'),
    connection: z.string(),
    chat: z.string(),
    thread: z.int(),
    order: z.int(),
    version: z.int(),
  }),
  /** The same of all who have gained access to a chat by its scopes; `before`: the chat as it was. */
  z.object({
    job: z.literal('catch_up_gained'),
    before: ChatItem,
    chat: z.string(),
    thread: z.int(),
    order: z.int(),
    version: z.int(),
  }),
  /**
   * Takes an agent offline whose last socket went, unless it is back: `seq` is that of its last login then,
   * `check` names this check.
   */
  z.object({
    job: z.literal('expect_agent'),
    license_id: z.string(),
    agent_id: z.string(),
    seq: z.int(),
    check: z.string(),
  }),
  /** The same of a customer, whose last tab was closed. */
  z.object({
    job: z.literal('expect_customer'),
    license_id: z.string(),
    customer_id: z.string(),
    seq: z.int(),
    check: z.string(),
  }),
  /**
   * Gives the chats of a license that wait for an agent to those who are free; `chat`: also this one, where
   * nobody is there for it; `agent`: also those of this agent, who has gone offline.
   */
  z.object({
    job: z.literal('route'),
    license_id: z.string(),
    chat: z.optional(z.string()),
    agent: z.optional(z.string()),
  }),
  /** Tells the positions of a license's waiting chats, where they changed. */
  z.object({ job: z.literal('tell_queue'), license_id: z.string() }),
  /** Brings the statuses of a license's groups up to date, and tells which changed. */
  z.object({ job: z.literal('group_statuses'), license_id: z.string() }),
  /**
   * Takes names that do not exist any more out of the scopes of a license's chats, of those `after` this one.
   */
  z.object({ job: z.literal('rescope'), license_id: z.string(), after: z.optional(z.string()) }),
  /**
   * Goes on with indexing who may see a chat, in its threads below this one; `since`: the version of the chat
   * that changed it.
   */
  z.object({
    job: z.literal('index_access'),
    chat: z.string(),
    below: z.int(),
    since: z.optional(z.int()),
  }),
  /** Counts what a search finds in each month that is over, since a time in ms, and keeps it. */
  z.object({
    job: z.literal('keep_counts'),
    license_id: z.string(),
    since: z.int(),
    search: z.object({
      all: z.array(z.array(z.string())),
      seen: z.optional(z.array(z.string())),
      none: z.array(z.string()),
    }),
  }),
])
export type Job = z.output<typeof Job>

export interface Enqueues {
  /** Hands a job to the delay queue, to be done in `delayS` whole seconds (0-900) at the earliest. */
  enqueue: (job: Job, delayS: number) => Promise<void>
}

const sqs = new SQSClient({})

// JSON leaves U+FFFE and U+FFFF as they are; SQS takes these characters only
const refused = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu

/** A job, or a part of one, as JSON of characters that SQS takes. */
export const encode = (part: unknown): string =>
  JSON.stringify(part).replace(refused, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Hands a job to the delay queue, at the earliest to be done in `delayS` whole seconds (0-900). */
export const enqueueJob = async (job: Job, delayS: number, signal?: AbortSignal): Promise<void> => {
  const command = new SendMessageCommand({
    QueueUrl: config.laterQueueUrl(),
    MessageBody: encode(job),
    DelaySeconds: delayS,
  })
  await sqs.send(command, signal === undefined ? {} : { abortSignal: signal })
}
