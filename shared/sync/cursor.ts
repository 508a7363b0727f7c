import { createHash } from 'node:crypto'
import * as z from 'zod/mini'
import { changesKeptMs } from '../table/chat/changed-chats.ts'
import type { Session } from '../table/sockets.ts'

// an app can make up a cursor: no other text may become the bound of a query
const rowKey = /^\d{8}#[!-}]{1,500}$/

/** An app's place in the changes, which it takes for an opaque text. */
const Cursor = z.strictObject({
  license: z.string(),
  agent: z.string(),
  /** What decides which chats the agent may see, as a hash. */
  sight: z.string(),
  /** From when on (ms) changes are asked for. */
  since: z.int(),
  /** Between two pages: from when on the next sync asks, and where the page after begins. */
  until: z.optional(z.int()),
  chat: z.optional(z.string()),
  row: z.optional(z.string().check(z.regex(rowKey))),
})

export type Cursor = Omit<z.output<typeof Cursor>, 'license' | 'agent' | 'sight'>

// clocks of two functions are never so far apart
const aheadMs = 60_000

/** Which chats a session is shown goes by these; where one of them changes, others have come and gone. */
const sightOf = ({ permission, groups, token_scopes }: Session): string =>
  createHash('sha256')
    .update(JSON.stringify([permission, groups.toSorted((a, b) => a - b), token_scopes?.toSorted()]))
    .digest('base64url')
    .slice(0, 11)

export const encodeCursor = (me: Session, cursor: Cursor): string => {
  const { license_id: license, agent_id: agent } = me
  return Buffer.from(JSON.stringify({ license, agent, sight: sightOf(me), ...cursor })).toString('base64url')
}

/**
 * What a cursor says, of this agent who sees what it saw when it was given, and no older than changes are
 * kept; undefined of any other.
 */
export const decodeCursor = (me: Session, text: string, nowMs: number): Cursor | undefined => {
  const parsed = Cursor.safeParse(jsonOf(text))
  if (!parsed.success) return undefined
  const { license, agent, sight, ...cursor } = parsed.data
  const isOwn = license === me.license_id && agent === me.agent_id && sight === sightOf(me)
  const isCurrent = cursor.since > nowMs - changesKeptMs && cursor.since < nowMs + aheadMs
  return isOwn && isCurrent ? cursor : undefined
}

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString())
  } catch {
    return undefined
  }
}
