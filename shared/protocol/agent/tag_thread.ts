import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Id, Tag } from '../fields.ts'

export const tagThread = action({
  name: 'tag_thread',
  summary: 'Gives a thread of a chat a tag, which customers never see.',
  request: z.object({ chat_id: Id, thread_id: Id, tag: Tag }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  writes: ['chat', 'changedChats'],
  pushes: ['thread_tagged'],
  session: 'required',
  reads: ['chat', 'threadTags'],
  may: 'access',
  tokenScopes: { any: ['chats.meta--chat_scopes:write', 'chats.meta--my:write'] },
  denied: 'You are not allowed to tag this thread.',
})
