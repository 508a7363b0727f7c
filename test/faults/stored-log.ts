import type { Attributes } from '../../shared/table/ops.ts'

/** An entry of a chat's log, read off the table without the code that is under test. */
export interface StoredEntry {
  chat: string
  n: number
  m: number
  id: string
  atMs: number
  version: number
  closed: boolean
  event: Record<string, any>
}

export interface StoredThread {
  n: number
  hasHead: boolean
  tags: string[]
  closed: boolean
  entries: StoredEntry[]
}

export interface StoredChat {
  id: string
  license_id: string
  users: { id: string; type: string; present: boolean; met?: boolean }[]
  scopes: { groups: number[]; agents: string[] }
  thread: number
  active: boolean
  waiting_since?: number
}

const afterHash = (pk: unknown): string => String(pk).slice(String(pk).indexOf('#') + 1)

/** The chats of a table's items. */
export const chatsOf = (items: readonly Attributes[]): Map<string, StoredChat> =>
  new Map(
    items
      .filter(({ pk, sk }) => String(pk).startsWith('CHAT#') && sk === 'CHAT')
      .map((item) => [afterHash(item['pk']), item as unknown as StoredChat]),
  )

/** The threads of each chat of a table's items, by number; entries in the order of their keys. */
export const logsOf = (items: readonly Attributes[]): Map<string, Map<number, StoredThread>> => {
  const logs = new Map<string, Map<number, StoredThread>>()
  for (const item of items.toSorted((a, b) => (String(a['sk']) < String(b['sk']) ? -1 : 1))) {
    if (!String(item['pk']).startsWith('CHAT#') || !String(item['sk']).startsWith('LOG#')) continue
    const chat = afterHash(item['pk'])
    const [, n = 0, m = 0] = String(item['sk']).split('#').map(Number)
    const threads = logs.get(chat) ?? new Map<number, StoredThread>()
    logs.set(chat, threads)
    const thread = threads.get(n) ?? { n, hasHead: false, tags: [], closed: false, entries: [] }
    threads.set(n, thread)
    if (m === 0) Object.assign(thread, { hasHead: true, tags: item['tags'] ?? [] })
    else
      thread.entries.push({
        ...{ chat, n, m, id: `${chat}_${n}_${m}` },
        atMs: Number(item['at']),
        version: Number(item['version']),
        closed: item['closed'] === true,
        event: item['event'] as Record<string, unknown>,
      })
    thread.closed = thread.entries.at(-1)?.closed === true
  }
  return logs
}

/** The tags of all threads, as `<thread> <tag>`. */
export const tagsOf = (items: readonly Attributes[]): Set<string> =>
  new Set(
    [...logsOf(items)].flatMap(([chat, threads]) =>
      [...threads.values()].flatMap(({ n, tags }) => tags.map((tag) => `${chat}_${n} ${tag}`)),
    ),
  )

/** All entries of all logs. */
export const entriesOf = (logs: Map<string, Map<number, StoredThread>>): StoredEntry[] =>
  [...logs.values()].flatMap((threads) => [...threads.values()].flatMap(({ entries }) => entries))
