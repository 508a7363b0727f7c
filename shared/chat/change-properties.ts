import type { Family } from '../protocol/action.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { utf8Bytes } from '../protocol/fields.ts'
import { limits } from '../protocol/limits.ts'
import type { Properties, PropertiesChange } from '../protocol/properties.ts'
import type { Clock, Retries, Writes } from '../table/capabilities.ts'
import { putChangedChat } from '../table/chat/changed-chats.ts'
import type { Chat } from '../table/chat/chats.ts'
import {
  parseProperties,
  type PropertiesOwner,
  setProperties,
  type StoredProperties,
} from '../table/chat/stored-properties.ts'
import type { Op, WriteOutcome, Writer } from '../table/ops.ts'
import { type ConditionalWrite, retryUntilCommitted } from '../table/optimistic-write.ts'

const namesIn = <T>(spaces: Record<string, T>, space: string): T | undefined =>
  Object.hasOwn(spaces, space) ? spaces[space] : undefined

/** What of a change is one: a name set to what it is already, or removed where it is not, is none. */
export const differences = (before: Properties, change: PropertiesChange): PropertiesChange => {
  const spaces = Object.entries(change).flatMap(([space, names]) => {
    const held = namesIn(before, space) ?? {}
    const changed = Object.entries(names).filter(([name, { value }]) => {
      const known = namesIn(held, name)
      return value === null ? known !== undefined : known?.value !== value
    })
    return changed.length > 0 ? [[space, Object.fromEntries(changed)] as const] : []
  })
  return Object.fromEntries(spaces)
}

/** Both changes, by name; the later one where they name the same. */
const mergeChanges = (earlier: PropertiesChange, later: PropertiesChange): PropertiesChange =>
  Object.fromEntries(
    [...new Set([...Object.keys(earlier), ...Object.keys(later)])].map((space) => [
      space,
      { ...namesIn(earlier, space), ...namesIn(later, space) },
    ]),
  )

/** The change that makes the one of the other. */
export const changeBetween = (before: Properties, after: Properties): PropertiesChange => {
  const removed = Object.entries(before).flatMap(([space, names]) => {
    const left = namesIn(after, space) ?? {}
    const gone = Object.keys(names).filter((name) => namesIn(left, name) === undefined)
    return gone.length > 0
      ? [[space, Object.fromEntries(gone.map((name) => [name, { value: null }]))] as const]
      : []
  })
  return mergeChanges(differences(before, after), Object.fromEntries(removed))
}

/** Whether a change removes a name. */
export const removesAny = (change: PropertiesChange): boolean =>
  Object.values(change).some((names) => Object.values(names).some(({ value }) => value === null))

/** Properties with a change merged into them, by name; a namespace that is left without any goes. */
export const merged = (before: Properties, change: PropertiesChange): Properties => {
  const spaces = [...new Set([...Object.keys(before), ...Object.keys(change)])]
  const all = spaces.flatMap((space) => {
    const names = new Map(Object.entries(namesIn(before, space) ?? {}))
    for (const [name, { value }] of Object.entries(namesIn(change, space) ?? {})) {
      if (value === null) names.delete(name)
      else names.set(name, { value })
    }
    return names.size > 0 ? [[space, Object.fromEntries(names)] as const] : []
  })
  return Object.fromEntries(all)
}

const refused = (message: string, path: readonly string[] = []) =>
  new ProtocolError('validation', {
    details: [{ path: ['payload', 'properties', ...path].join('.'), message }],
  })

/**
 * Throws `validation` where merged properties are too many, or too large (protocol §8), the server's own left
 * out.
 */
export const checkLimits = ({ routing: _, ...properties }: Properties): void => {
  const spaces = Object.entries(properties)
  if (spaces.length > limits.propertyNamespaces)
    throw refused(`There would be ${spaces.length} namespaces: at most ${limits.propertyNamespaces}`)
  for (const [space, names] of spaces) {
    const count = Object.keys(names).length
    if (count > limits.propertyNames)
      throw refused(`There would be ${count} names: at most ${limits.propertyNames}`, [space])
  }
  const bytes = utf8Bytes(JSON.stringify(properties))
  if (bytes > limits.propertiesBytes)
    throw refused(`There would be ${bytes} bytes after merging: at most ${limits.propertiesBytes}`)
}

interface State {
  chat: Chat
  properties: StoredProperties
}

interface Changing<F extends Family> extends State, Retries, Clock, Writes<'chat' | 'changedChats' | F> {
  of: PropertiesOwner
  refresh: () => Promise<State>
}

/** What of properties changed, as it is told, and the version that it made. */
export interface AnnouncedProperties {
  properties: PropertiesChange
  version: number
}

export interface PropertiesChanged {
  /** As it was last read. */
  chat: Chat
  told: AnnouncedProperties
}

/**
 * Merges a change into the properties of a chat or a thread, again on what is read anew where another request
 * was faster: changes of different names all survive. Undefined: nothing was to change. `guard`: what must
 * hold with each attempt.
 */
export const changeProperties = async <Guarding extends Family = never>(
  ctx: Changing<Guarding>,
  change: PropertiesChange,
  guard?: (chat: Chat) => ConditionalWrite<Guarding>,
): Promise<PropertiesChanged | undefined> => {
  const { nonce } = ctx
  let { chat } = ctx
  const refresh = async () => {
    const view = await ctx.refresh()
    ;({ chat } = view)
    return view
  }
  // of an attempt that may have been stored and its answer lost, since others wrote after it: told as well
  let unconfirmed: AnnouncedProperties | undefined
  const isDone = ({ properties }: StoredProperties) =>
    Object.keys(differences(properties, change)).length === 0
  const { told } = await retryUntilCommitted<{ told: AnnouncedProperties | undefined }, State>(
    { ...ctx, refresh },
    ctx,
    {
      isOwn: ({ properties: held }) => held.by === nonce || (unconfirmed !== undefined && isDone(held)),
      attempt: async ({ properties: held }) => {
        if (isDone(held)) return { result: { told: unconfirmed }, committed: true }
        const differing = differences(held.properties, change)
        const after = merged(held.properties, differing)
        checkLimits(after)
        const version = held.version + 1
        const attempted: AnnouncedProperties = {
          properties: mergeChanges(unconfirmed?.properties ?? {}, differing),
          version,
        }
        const result: { told: AnnouncedProperties | undefined } = { told: attempted }
        const write = async () => {
          const op = setProperties(ctx.of, held, after, nonce)
          const outcome = await writeGuarded(ctx.write, op, putChangedChat(chat, ctx.now()), guard?.(chat))
          if (outcome.done) return true
          const found = parseProperties(outcome.found)
          if (found.by === nonce) return true
          if (found.version > version) unconfirmed = attempted
          // the version that it would have made is another's: it was not stored
          if (found.version === version) result.told = unconfirmed
          return false
        }
        return { result, committed: write() }
      },
    },
  )
  return told && { chat, told }
}

/** Writes it with the note that the chat changed, and only where the guard holds. */
const writeGuarded = async <Guarding extends Family>(
  write: Writer<'chat' | 'changedChats' | Guarding>,
  op: Op<'chat'>,
  note: Op<'changedChats'>,
  guard: ConditionalWrite<Guarding> | undefined,
): Promise<WriteOutcome> => {
  const refusals = await write.transact([op, note, ...(guard === undefined ? [] : [guard.op])])
  if (refusals.length === 0) return { done: true, attributes: undefined }
  if (
    guard?.onConditionFailed !== undefined &&
    refusals.some(({ index, reason }) => index === 2 && reason === 'condition')
  )
    throw new ProtocolError(guard.onConditionFailed, { message: guard.message })
  return { done: false, found: refusals.find(({ index }) => index === 0)?.found }
}
