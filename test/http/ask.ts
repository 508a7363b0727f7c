import { httpPath } from '../../shared/protocol/agent/index.ts'

/** A request as it is sent. */
interface Sent {
  method?: string
  token?: string
  text?: string
  headers?: Record<string, string>
}

export interface Asked {
  token?: string
  payload?: unknown
  headers?: Record<string, string>
}

/** Sends any request. */
export const send = (
  url: string,
  path: string,
  { method = 'POST', token, text, headers }: Sent,
): Promise<Response> =>
  fetch(url + path, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(text !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(text === undefined ? {} : { body: text }),
  })

/** Asks for an action; resolves to the status and the body, which is JSON whatever it says. */
export const ask = async (
  url: string,
  action: string,
  { token, payload, headers = {} }: Asked,
): Promise<{ status: number; body: any; headers: Headers }> => {
  const response = await send(url, httpPath(action), {
    ...(token !== undefined && { token }),
    ...(payload !== undefined && { text: JSON.stringify(payload) }),
    headers,
  })
  return { status: response.status, body: await response.json(), headers: response.headers }
}
