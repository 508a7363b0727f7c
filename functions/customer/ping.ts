import { ping } from '../../shared/protocol/customer/ping.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(ping, async () => {})
