import { othersIn } from '../../shared/access/audience.ts'
import { roleOf } from '../../shared/access/permissions.ts'
import { sendTypingIndicator } from '../../shared/protocol/agent/send_typing_indicator.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(sendTypingIndicator, async (ctx, { recipients = 'all', is_typing }) => {
  const { me, chat } = ctx
  const author_id = me.agent_id
  const supervises = roleOf(author_id, chat) === 'supervisor'
  ctx.push(othersIn(chat, author_id), 'incoming_typing_indicator', {
    chat_id: chat.id,
    typing_indicator: {
      author_id,
      recipients: supervises ? 'agents' : recipients,
      timestamp: Math.floor(ctx.now() / 1000),
      is_typing,
    },
  })
})
