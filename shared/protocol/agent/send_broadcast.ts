import * as z from 'zod/mini'
import { action } from '../action.ts'
import { ContentText } from '../events.ts'
import { opt, Scopes } from '../fields.ts'

export const sendBroadcast = action({
  name: 'send_broadcast',
  summary: 'Sends any JSON to agents and groups, or to every agent of the license; it is not stored.',
  request: z.object({ scopes: opt(Scopes), content: ContentText }),
  response: null,
  needs: ['read', 'push', 'fan_out'],
  pushes: ['incoming_broadcast'],
  session: 'required',
  reads: [],
  tokenScopes: { any: ['broadcast:write'] },
})
