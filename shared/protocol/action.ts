import type * as z from 'zod/mini'
import type { PushName } from './pushes.ts'

/**
 * What a Lambda may touch beside the items that it writes: both its IAM grants and the type of its `ctx`.
 * `read`: GetItem, BatchGetItem and Query on the families that are `common` in `table/families.ts`. `push`:
 * posting to connections, and deleting or marking their rows. `fan_out`, beside `push`: handing posts to many
 * connections over to other functions; without it, the action's own function posts to as many as there are.
 * `connection_status`, beside `push`: asking the gateway whether it still has a customer's connection.
 */
export type Need = 'read' | 'push' | 'fan_out' | 'connection_status'

/** The families of items, each with partition keys of its own: `table/families.ts` has them. */
export type Family =
  | 'licenses'
  | 'account'
  | 'agentSockets'
  | 'audience'
  | 'chats'
  | 'activeChats'
  | 'waitingChats'
  | 'changedChats'
  | 'loads'
  | 'groupStatuses'
  | 'identity'
  | 'customer'
  | 'customerSockets'
  | 'address'
  | 'count'
  | 'socket'
  | 'device'
  | 'chat'
  | 'postings'
  | 'marks'
  | 'keptCounts'

/**
 * What `serve` fetches side by side with the session: of `payload.chat_id` (without it, a customer's own) the
 * chat and the end of its log; the event that `payload.event_id` names in it; the properties of the chat, or
 * the properties or the tags of the thread that `payload.thread_id` names.
 */
type Fetch = 'chat' | 'tail' | 'event' | 'chatProperties' | 'threadProperties' | 'threadTags'

/** All token scopes (protocol §4). */
export const tokenScopes = [
  'chats--all:read',
  'chats--chat_scopes:read',
  'chats--my:read',
  'chats.conversation--chat_scopes:write',
  'chats.conversation--my:write',
  'chats.meta--chat_scopes:write',
  'chats.meta--my:write',
  'customers:read',
  'customers:write',
  'customers.ban:write',
  'broadcast:write',
  'agents--my:write',
  'agents--all:write',
] as const

/** A token scope by which a restricted token may do an action. */
export type TokenScope = (typeof tokenScopes)[number]

export interface ActionSpec {
  /** The wire name, and so the route, the file and the function. */
  readonly name: string
  /** One line for people, ending in a full stop. */
  readonly summary: string
  /** Who asks for it, on an endpoint of their own; absent: agents. */
  readonly by?: 'customer'
  readonly request: z.core.$ZodType<object>
  /** `null`: the response has no `payload`. */
  readonly response: z.core.$ZodType | null
  /** Other names of fields of the request, each with the one that counts. */
  readonly aliases?: Readonly<Record<string, string>>
  readonly needs: readonly Need[]
  /** The families that it may read beside the common ones; absent: none. */
  readonly alsoReads?: readonly Family[]
  /**
   * All that it may write, or check in a transaction, beside what its session and its pushes take: PutItem,
   * UpdateItem, DeleteItem and ConditionCheckItem on these families alone, and the type of its `ctx.write`.
   * Absent: nothing.
   */
  readonly writes?: readonly Family[]
  /** All that it may push: the type of its `ctx.push`, so that shared code can push no more for it. */
  readonly pushes: readonly PushName[]
  /**
   * `none`: nothing is known of the connection. `login`: the handler itself reads what it needs of it.
   * `optional`: the handler reads the session where it needs one, and answers without one as well.
   */
  readonly session: 'required' | 'login' | 'optional' | 'none'
  /** It is about the connection that it comes by; absent: agents may ask for it over HTTP as well. */
  readonly socketOnly?: true
  readonly reads: readonly Fetch[]
  /** Others hear of it once a second of each customer: the first and, of more, the last. */
  readonly paced?: true
  /** On a chat: `access` to it is enough, or one must be a `member` of it (protocol §4). */
  readonly may?: 'access' | 'member'
  /**
   * Absent: no token scope is asked for. `forSelf`: enough where the only agent concerned is the requester.
   */
  readonly tokenScopes?: { readonly any: readonly TokenScope[]; readonly forSelf?: readonly TokenScope[] }
  /** The sentence that `authorization` answers with; absent: the default one. */
  readonly denied?: string
}

/** Whether an action may be asked for over HTTP: an agent's that is not about a connection. */
export const isOverHttp = ({ by, socketOnly }: Pick<ActionSpec, 'by' | 'socketOnly'>): boolean =>
  by === undefined && socketOnly !== true

/** Declares an action: the contract, no behaviour. */
export const action = <const Spec extends ActionSpec>(spec: Spec): Spec => spec
