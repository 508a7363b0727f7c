import { sendEvent as send } from '../../shared/chat/sending.ts'
import { sendEvent } from '../../shared/protocol/agent/send_event.ts'
import { serve } from '../../shared/runtime/serve.ts'

export const handler = serve(sendEvent, (ctx, { event }) => send(ctx, event, sendEvent.denied))
