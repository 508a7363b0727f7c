import { httpPath } from '../../shared/protocol/agent/index.ts'
import { type Recorder, type Reply, replyOf } from './app.ts'

/** An agent's app without a connection: each answer is noted as the frame that it would be. */
export class HttpApp {
  readonly #recorder: Recorder
  readonly #url: string
  readonly #token: Promise<string>
  readonly #index: number

  constructor(
    recorder: Recorder,
    { url, token, ...of }: { url: string; token: Promise<string>; license: string; user: string },
  ) {
    this.#recorder = recorder
    this.#url = url
    this.#token = token
    this.#index =
      recorder.sockets.push({ ...of, as: 'agent', overHttp: true, openedAt: performance.now() }) - 1
  }

  async call(action: string, payload: object): Promise<Reply> {
    const { requests, frames } = this.#recorder
    const id = `r${requests.length}`
    requests.push({ socket: this.#index, id, action, payload, sentAt: performance.now() })
    const { status, body } = await this.#post(action, payload)
    const answer = { request_id: id, action, type: 'response', success: status === 200, payload: body }
    // whatever else the gateway says in the Lambda's place, as on a connection
    const frame = status === 200 || body.error !== undefined ? answer : body
    frames.push({ socket: this.#index, at: performance.now(), text: JSON.stringify(frame) })
    const reply: Reply = frame === answer ? replyOf(answer) : { kind: 'unknown', error: 'gateway' }
    this.#recorder.replied(action, reply)
    return reply
  }

  async #post(action: string, payload: object): Promise<{ status: number; body: any }> {
    const { key, text } = keyed(payload)
    const response = await fetch(this.#url + httpPath(action), {
      method: 'POST',
      headers: {
        ...{ authorization: `Bearer ${await this.#token}`, 'content-type': 'application/json' },
        ...(key !== undefined && { 'idempotency-key': key }),
      },
      body: text,
    })
    return { status: response.status, body: await response.json() }
  }
}

/**
 * A request whose event has its `custom_id` as the `Idempotency-Key`: sent again, over HTTP or a connection,
 * it is the same event.
 */
const keyed = (payload: object): { key?: string; text: string } => {
  const { event } = payload as { event?: { custom_id?: string } }
  if (event?.custom_id === undefined) return { text: JSON.stringify(payload) }
  const { custom_id: key, ...rest } = event
  return { key, text: JSON.stringify({ ...payload, event: rest }) }
}
