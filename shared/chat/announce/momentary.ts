import { othersIn, staffOf } from '../../access/audience.ts'
import type { Pushing } from '../../delivery/outbox.ts'
import type { Clock } from '../../table/capabilities.ts'
import type { Chat } from '../../table/chat/chats.ts'

// What a customer shows of itself for a moment, and what is not stored.

type Showing = Clock

/** Tells the others in a chat whether a customer is typing. */
export const announceTyping = (
  ctx: Showing & Pushing<'incoming_typing_indicator'>,
  chat: Chat,
  author_id: string,
  is_typing: boolean,
): void =>
  ctx.push(othersIn(chat, author_id), 'incoming_typing_indicator', {
    chat_id: chat.id,
    typing_indicator: {
      author_id,
      recipients: 'all',
      timestamp: Math.floor(ctx.now() / 1000),
      is_typing,
    },
  })

/** Shows agents and supervisors in a chat what a customer is writing. */
export const announceSneakPeek = (
  ctx: Showing & Pushing<'incoming_sneak_peek'>,
  chat: Chat,
  author_id: string,
  text: string,
): void =>
  ctx.push(staffOf(chat), 'incoming_sneak_peek', {
    chat_id: chat.id,
    sneak_peek: {
      author_id,
      recipients: 'agents',
      timestamp: Math.floor(ctx.now() / 1000),
      text,
    },
  })
