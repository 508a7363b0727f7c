import type * as z from 'zod/mini'
import {
  agentSocketsPrefix,
  audiencePk,
  customerSocketsPk,
  type Hears,
  hearsPrefix,
  socketsPk,
} from './keys.ts'
import type { Attributes, Reader } from './ops.ts'
import { AgentSocketItem, type Connected, CustomerSocketItem, rowKey, type SocketRow } from './sockets.ts'

/**
 * A list of connections of a license's agents: all of them, one agent's, or one of the lists of audiences.
 */
export type AgentList = { agent?: string } | { list: string; hears: Hears }

/** A list of connections: of a license's agents, or of one of its customers. */
export type SocketList = { license: string } & (AgentList | { customer: string })

/** The rows of a list; also those that no longer count as live. Skips what is none. */
export const readSocketList = (read: Reader, of: SocketList): Promise<SocketRow[]> => {
  if ('customer' in of) return readCustomerSockets(read, of.license, of.customer)
  if ('list' in of) return readAudienceList(read, of.license, of.list, of.hears)
  return readAgentSockets(read, of.license, of.agent)
}

/**
 * Every row of a license's list, or of one agent in it; also those that no longer count as live. Skips what
 * is none.
 */
export const readAgentSockets = async (
  read: Reader,
  license: string,
  agent?: string,
): Promise<AgentSocketItem[]> => {
  const rows = await read.query({
    pk: socketsPk(license),
    strong: true,
    ...(agent === undefined ? {} : { prefix: agentSocketsPrefix(agent) }),
  })
  return rows.flatMap((row) => rowIn(AgentSocketItem, read, license, row))
}

/**
 * The rows of one of the lists of audiences: all of them, or only those that hear what is said. Skips what is
 * none.
 */
export const readAudienceList = async (
  read: Reader,
  license: string,
  list: string,
  hears: Hears = 'lifecycle',
): Promise<AgentSocketItem[]> => {
  const rows = await read.query({
    pk: audiencePk(license, list),
    strong: true,
    ...(hears === 'content' ? { prefix: hearsPrefix(hears) } : {}),
  })
  return rows.flatMap((row) => rowIn(AgentSocketItem, read, license, row))
}

/** The rows of a customer's connections; also those that no longer count as live. Skips what is none. */
export const readCustomerSockets = async (
  read: Reader,
  license: string,
  customer: string,
): Promise<CustomerSocketItem[]> => {
  const rows = await read.query({ pk: customerSocketsPk(license, customer), strong: true })
  return rows.flatMap((row) => rowIn(CustomerSocketItem, read, license, row))
}

/** The rows of these connections, in any order: those that there are. Skips what is none. */
export const readRows = async (read: Reader, of: readonly Connected[]): Promise<SocketRow[]> => {
  const items = await read.batchGet(
    of.map((one) => rowKey(one, one.connection)),
    { strong: true },
  )
  return items.flatMap((item): SocketRow[] => {
    const license = String(item['license_id'])
    return 'customer_id' in item
      ? rowIn(CustomerSocketItem, read, license, item)
      : rowIn(AgentSocketItem, read, license, item)
  })
}

const rowIn = <S extends z.ZodMiniType>(
  schema: S,
  read: Pick<Reader, 'onInvalidItem'>,
  license: string,
  row: Attributes,
): z.output<S>[] => {
  const parsed = schema.safeParse(row)
  if (parsed.success) return [parsed.data]
  // one bad row must not keep a whole license from its pushes
  const fields = parsed.error.issues.map(({ path }) => path.join('.'))
  read.onInvalidItem?.({ license, sk: row['sk'], fields })
  return []
}
