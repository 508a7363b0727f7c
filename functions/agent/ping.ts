import { ping } from '../../shared/protocol/agent/ping.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(ping, async () => {})
