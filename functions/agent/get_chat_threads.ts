import pLimit from 'p-limit'
import { readProfiles } from '../../shared/chat/profiles.ts'
import { envelopeBytes, fitting, jsonBytes } from '../../shared/chat/room.ts'
import { agentIds } from '../../shared/chat/show.ts'
import { readThread } from '../../shared/chat/threads-page.ts'
import { scopesOf, usersOf } from '../../shared/chat/views.ts'
import { getChatThreads } from '../../shared/protocol/agent/get_chat_threads.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { readChatRecord } from '../../shared/table/chats.ts'
import { threadId, threadOf } from '../../shared/table/keys.ts'

// a thread's properties and the largest event that a request can hold: a page without it would be empty for ever
const oneEventBytes = 50 * 1024
const threadsAtOnce = 16

export const handler = serve(
  getChatThreads,
  async (ctx, { thread_ids, before_order, after_order, limit }) => {
    const { chat, read } = ctx
    const numbers = (thread_ids ?? [threadId(chat.id, chat.thread)]).map((id) => {
      const n = threadOf(chat.id, id)
      if (n === undefined || n > chat.thread) throw new ProtocolError('not_found')
      return n
    })
    const atOnce = pLimit(threadsAtOnce)
    const page = { before: before_order, after: after_order, limit }
    const roomEach = limits.frameBytes / Math.max(1, numbers.length)
    const [record, profiles, threads] = await Promise.all([
      readChatRecord(read, chat.id),
      readProfiles(read, chat.license_id, agentIds(chat.users)),
      Promise.all(numbers.map((n) => atOnce(() => readThread(read, chat, n, page, roomEach)))),
    ])

    const base = {
      id: chat.id,
      users: usersOf(chat.users, profiles, record?.seen),
      properties: record?.properties,
      scopes: scopesOf(chat.scopes),
    }
    // thread n of a chat has order n: the list of its newest threads needs no read
    const newest = Array.from({ length: Math.min(chat.thread, limits.threadsSummary) }, (_, i) => ({
      thread_id: threadId(chat.id, chat.thread - i),
      order: chat.thread - i,
    }))
    const most = limits.frameBytes - envelopeBytes
    const listed = newest.slice(0, fitting(newest, most - jsonBytes(base) - oneEventBytes))
    const answer = { ...base, threads_summary: listed.toReversed() }
    const room = most - jsonBytes(answer)
    const share = Math.floor(room / Math.max(1, threads.length)) - 1
    const exactlyOne = thread_ids?.length === 1
    const shown = threads.map((thread) => {
      const { last_order, ...rest } = thread.show(share)
      return exactlyOne ? { ...rest, last_order } : rest
    })
    return { chat: { ...answer, threads: shown } }
  },
)
