import pLimit from 'p-limit'
import { createAgent } from '../../shared/provisioning/change-agent.ts'
import { createGroup } from '../../shared/provisioning/change-group.ts'
import { createLicense } from '../../shared/provisioning/change-license.ts'
import { threadLists, withWord } from '../../shared/archive/index/lists.ts'
import { indexedWords } from '../../shared/archive/index/words.ts'
import { type Chat, putChatListing, putNewChat } from '../../shared/table/chat/chats.ts'
import type { Table } from '../../shared/table/client.ts'
import { threadId } from '../../shared/table/ids.ts'
import { putEntry, putHead, newHead, nextEntries } from '../../shared/table/chat/log-entries.ts'
import type { Op } from '../../shared/table/ops.ts'
import { putPosting } from '../../shared/table/archive/postings.ts'

// An archive of closed threads over three years, made up but always the same, with its index.

const archiveMonths = 36
const agents = Array.from({ length: 20 }, (_, i) => `agent-${i}`)
/** A small generator of numbers in [0, 1), the same in every run. */
const seeded = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

/** Thread `i` of `size`, the first the oldest: what stands in the table of it, and in the index. */
const opsOf = (license: string, i: number, size: number, at: number, random: () => number): Op[] => {
  const id = `${size.toString(36)}x${i.toString(36)}`.padStart(21, '0')
  const agent = agents[Math.floor(random() * agents.length)] ?? ''
  const chat: Chat = {
    id,
    license_id: license,
    users: [{ id: agent, type: 'agent', present: true, met: true }],
    scopes: { groups: random() < 0.3 ? [1] : [], agents: [] },
    version: 2,
    thread: 1,
    active: false,
    changed_at: at,
    started_at: at,
  }
  const isRare = i % (size / 10) === 5
  // the others are on no first page: of them the index alone is enough
  const isShown = isRare || i >= size - 3000 || Math.floor((size - i) / (size / 36)) === 6
  const words = [
    ...(random() < 0.5 ? ['order'] : []),
    ...(random() < 0.3 ? ['delivery'] : []),
    // ten in all
    ...(isRare ? ['zeppelin'] : []),
    ...Array.from({ length: 1 }, () => `w${Math.floor(random() ** 3 * 5000)}`),
  ]
  const rated = random() < 0.4
  const head = newHead({
    n: 1,
    nonce: 'bench',
    version: 2,
    at,
    userIds: [agent],
    properties: rated ? { rating: { score: { value: 1 + Math.floor(random() * 5) } } } : undefined,
  })
  const event = { type: 'message' as const, text: words.join(' '), author_id: agent }
  const entries = nextEntries({ n: 1, m: 0, last: head }, [event], { nonce: 'bench', version: 2, at })
  const place = { at, id: threadId(id, 1) }
  const lists = [...threadLists(chat, head), ...indexedWords(event.text).map(withWord)]
  return [
    ...(isShown
      ? [
          putNewChat(chat),
          putChatListing(chat),
          putHead(id, head),
          ...entries.map((entry) => putEntry(id, entry)),
        ]
      : []),
    ...lists.map((list) => putPosting(license, list, place)),
  ].map((op): Op => ('Put' in op ? { Put: { Item: op.Put.Item } } : op))
}

/** A twelfth of a year. */
export const monthMs = (365 * 24 * 3_600_000) / 12

/**
 * A license with an archive of so many threads, whose agents `owner` and `normal`, who is in group 1, have no
 * chats. Of the threads ten say "zeppelin", half "order", three in ten "delivery"; four in ten are rated,
 * from 1 to 5; three in ten are for group 1 only.
 */
export const fillArchive = async (
  table: Table,
  { license, size, issuer, nowMs }: { license: string; size: number; issuer: string; nowMs: number },
): Promise<void> => {
  const since = nowMs - archiveMonths * monthMs
  await createLicense(table, {
    id: license,
    plan: 'bench',
    expires_at: Math.floor(nowMs / 1000) + 86_400,
    created_at: Math.floor(since / 1000),
  })
  await createGroup(table, { license_id: license, id: 1, name: 'Support' })
  const people = ['owner', 'normal', ...agents]
  for (const id of people) {
    const permission = id === 'owner' ? 'owner' : 'normal'
    await createAgent(table, {
      license_id: license,
      id,
      name: id,
      permission,
      groups: id === 'normal' ? [1] : [],
      identity: { issuer, subject: `${license}/${id}` },
    })
  }
  const random = seeded(size)
  const limit = pLimit(8)
  const step = (nowMs - since) / size
  const portion = 250
  await Promise.all(
    Array.from({ length: Math.ceil(size / portion) }, (_, p) =>
      limit(async () => {
        const ops: Op[] = []
        for (let i = p * portion; i < Math.min(size, (p + 1) * portion); i += 1)
          ops.push(...opsOf(license, i, size, Math.floor(since + (i + 0.5) * step), random))
        await table.write.batch(ops)
      }),
    ),
  )
}
