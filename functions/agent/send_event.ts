import { sendEvent as send } from '../../shared/chat/send-event.ts'
import { sendEvent } from '../../shared/protocol/agent/send_event.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(sendEvent, (ctx, { event }) => send(ctx, event, sendEvent.denied))
