import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, Tag } from '../fields.ts'

export const untagThread = action({
  name: 'untag_thread',
  summary: 'Takes a tag from a thread of a chat.',
  request: z.object({ chat_id: Id, thread_id: Id, tag: Tag }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['thread_untagged'],
  session: 'required',
  reads: ['chat', 'threadTags'],
  may: 'access',
  tokenScopes: { any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'] },
  denied: 'You are not allowed to untag this thread.',
})
