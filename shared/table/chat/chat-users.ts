import * as z from 'zod/mini'
import { trueOrAbsent } from '../../protocol/objects.ts'

const userTypes = ['customer', 'agent', 'supervisor'] as const

/** A user of a chat. */
export const ChatUser = z.object({
  id: z.string(),
  type: z.enum(userTypes),
  present: z.boolean(),
  /** Was once here as agent or customer, and so exists for customers. */
  met: trueOrAbsent,
  /** Since when (ms) it has the chat, of an agent who is in it. */
  since: z.optional(z.int()),
  /** The chat waits for another agent, since this one has not replied. */
  overdue: trueOrAbsent,
  /** The thread that the agent has left by itself. */
  left: z.optional(z.int()),
  /** The thread that the agent has transferred, and so left. */
  transferred: z.optional(z.int()),
})

export type ChatUser = z.output<typeof ChatUser>

/** A user who is in the chat no more. */
export const departed = ({ since: _, overdue: __, ...user }: ChatUser): ChatUser => ({
  ...user,
  present: false,
})

/**
 * Users of whom each has the chat anew, and none is overdue: the change that they come with says since when.
 */
export const newlyHad = (users: readonly ChatUser[]): ChatUser[] =>
  users.map(({ overdue: _, since: __, ...user }) => user)

/** Users of a new thread, in which nobody has failed to reply yet. */
export const noneOverdue = (users: readonly ChatUser[]): ChatUser[] =>
  users.map(({ overdue: _, ...user }) => user)

/**
 * Users as they are after a change of a chat: whoever is an agent of it has it since `atMs`, or since before.
 */
export const withArrivals = (users: readonly ChatUser[], atMs: number): ChatUser[] =>
  users.map((user) =>
    user.type === 'agent' && user.present && user.since === undefined ? { ...user, since: atMs } : user,
  )

const shownUsers = (users: readonly ChatUser[]): string =>
  JSON.stringify(users.map(({ id, type, present, met }) => [id, type, present, met]))

/** Whether nobody came, left, or is here as something else. */
export const sameUsers = (some: readonly ChatUser[], others: readonly ChatUser[]): boolean =>
  shownUsers(some) === shownUsers(others)

/** The customer that is in a chat. */
export const customerOf = ({ users }: { users: readonly ChatUser[] }): ChatUser | undefined =>
  users.find(({ type, present }) => type === 'customer' && present)

export const presentAgents = ({ users }: { users: readonly ChatUser[] }): string[] =>
  users.filter(({ type, present }) => type === 'agent' && present).map(({ id }) => id)

/** A customer's chat that waits for an agent, or whose last one has left. */
export const lacksAgent = (chat: {
  users: readonly ChatUser[]
  waiting_since?: number | undefined
}): boolean =>
  customerOf(chat) !== undefined && (chat.waiting_since !== undefined || presentAgents(chat).length === 0)
