import { ownEvent } from '../../shared/access/visibility.ts'
import { sendEvent as send } from '../../shared/chat/send-event.ts'
import { sendEvent } from '../../shared/protocol/customer/send_event.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(sendEvent, async (ctx, asked) => {
  const { thread_id, event } = await send(ctx, asked.event, sendEvent.denied)
  return { thread_id, event: ownEvent(event) }
})
