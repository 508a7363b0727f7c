import { readProfiles } from '../../shared/chat/profiles.ts'
import { jsonBytes } from '../../shared/chat/room.ts'
import { agentIds } from '../../shared/chat/show.ts'
import { readThread } from '../../shared/chat/threads-page.ts'
import { scopesOf, usersOf } from '../../shared/chat/views.ts'
import { getChatThreads } from '../../shared/protocol/agent/get_chat_threads.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { limits } from '../../shared/protocol/limits.ts'
import { serve } from '../../shared/runtime/serve.ts'
import { readChatRecord } from '../../shared/table/chats.ts'
import { threadId, threadOf } from '../../shared/table/keys.ts'

export const handler = serve(
  getChatThreads,
  async (ctx, { thread_ids, before_order, after_order, limit }) => {
    const { chat, read } = ctx
    const numbers = (thread_ids ?? [threadId(chat.id, chat.thread)]).map((id) => {
      const n = threadOf(chat.id, id)
      if (n === undefined || n > chat.thread) throw new ProtocolError('not_found')
      return n
    })
    const page = { before: before_order, after: after_order, limit }
    const roomEach = limits.frameBytes / Math.max(1, numbers.length)
    const [record, profiles, threads] = await Promise.all([
      readChatRecord(read, chat.id),
      readProfiles(read, chat.license_id, agentIds(chat.users)),
      Promise.all(numbers.map((n) => readThread(read, chat, n, page, roomEach))),
    ])

    // thread n of a chat has order n: the list of its newest threads needs no read
    const listed = Math.min(chat.thread, limits.threadsSummary)
    const answer = {
      id: chat.id,
      users: usersOf(chat.users, profiles, record?.seen),
      threads_summary: Array.from({ length: listed }, (_, i) => chat.thread - listed + 1 + i).map((n) => ({
        thread_id: threadId(chat.id, n),
        order: n,
      })),
      properties: record?.properties,
      scopes: scopesOf(chat.scopes),
    }
    const room = limits.frameBytes - jsonBytes(answer) - 1024
    const share = Math.floor(room / Math.max(1, threads.length)) - 1
    const exactlyOne = thread_ids?.length === 1
    const shown = threads.map((thread) => {
      const { last_order, ...rest } = thread.show(share)
      return exactlyOne ? { ...rest, last_order } : rest
    })
    return { chat: { ...answer, threads: shown } }
  },
)
