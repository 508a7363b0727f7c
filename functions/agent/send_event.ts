import { sendEvent as send } from '../../shared/chat/send-event.ts'
import { sendEvent } from '../../shared/protocol/agent/send_event.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(sendEvent, (ctx, { event }) => send(ctx, event, sendEvent.denied))
