import { measured } from '../../shared/platform/metrics.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import { type HttpRequest, preflight, refuseHttp } from '../../shared/request/http.ts'

/** `$default` of the HTTP API: preflights, and whatever is no action's path. */
export const handler = measured('http', 'default', async ({ requestContext }: HttpRequest) => {
  if (requestContext.http.method === 'OPTIONS') return preflight()
  const message = 'An action is asked for by POST /v1/agent/action/<action>'
  return refuseHttp(new ProtocolError('not_found', { details: [{ path: '', message }] }), '*')
})
