import { ChatError } from './chat-error.ts'
import type { AgentEndpoint, HttpAction } from './contracts.ts'
import { defaultEnvironment, type Environment } from './environment.ts'
import { findSent } from './find-sent.ts'
import { LineLost } from './line.ts'
import { Requests } from './requests.ts'

export interface HttpOptions {
  /** The HTTP API, such as `https://<api>.execute-api.<region>.amazonaws.com`. */
  url: string
  /** An access token, or what gets one: asked again where the last one is refused. */
  token: string | (() => string | Promise<string>)
  environment?: Partial<Pick<Environment, 'now' | 'delay' | 'random'>>
}

/** A client of agents' actions that keeps no connection, for bots and other systems. */
export interface HttpClient {
  /**
   * Sends a request and resolves to its answer; sent again where it got none. Requests about one chat go one
   * after the other. Throws `ChatError`.
   */
  request: <Name extends HttpAction>(
    action: Name,
    payload: AgentEndpoint['actions'][Name]['request'],
  ) => Promise<AgentEndpoint['actions'][Name]['answer']>
}

type Answer = object & { error?: ConstructorParameters<typeof ChatError>[0] }

/** As many tries in a row without an answer, for whatever request, are enough. */
const mostLost = 8
const longestPauseMs = 30_000

/** Makes a client of the HTTP API. */
export const createHttpClient = ({ url, token, ...options }: HttpOptions): HttpClient => {
  const environment = { ...defaultEnvironment, ...options.environment }
  /** The token, which requests that go out together ask for once. */
  let current: Promise<string> | undefined
  const forget = (asked: Promise<string>): void => {
    if (current === asked) current = undefined
  }
  const takeToken = (): Promise<string> => {
    if (current !== undefined) return current
    const asked = (async () => (typeof token === 'function' ? token() : token))()
    current = asked
    asked.catch(() => forget(asked))
    return asked
  }
  /** Rounds of tries in a row that were lost. */
  let rounds = 0

  const call = async (
    action: string,
    payload: object,
    withinMs: number,
    isRenewed = typeof token === 'string',
  ): Promise<unknown> => {
    const round = rounds
    const asked = takeToken()
    const answered = await post(`${url.replace(/\/$/, '')}/v1/agent/action/${action}`, await asked, payload, {
      environment,
      withinMs,
    })
    if (answered === undefined) {
      // requests that were lost together count once: they have waited once
      if (round === rounds) rounds += 1
      if (rounds < mostLost) throw new LineLost()
      rounds = 0
      throw new ChatError({ type: 'connection_lost', message: `Nobody answers at ${url}` })
    }
    rounds = 0
    const { status, body } = answered
    if (status === 200) return isEmpty(body) ? undefined : body
    if (body.error?.type === 'auth' && !isRenewed) {
      forget(asked)
      return call(action, payload, withinMs, true)
    }
    if (body.error !== undefined) throw new ChatError(body.error)
    const type = status === 429 ? 'too_many_requests' : 'internal'
    throw new ChatError({ type, message: `The gateway answered ${status}` })
  }
  const requests = new Requests('agent', {
    line: { call },
    environment,
    online: () => pause(environment, rounds),
    // each call has asked for another token already
    renew: () => false,
    findSent: (payload) => findSent({ call }, payload),
  })
  const request = (action: string, payload: object): Promise<unknown> => requests.add(action, payload)
  // the contract of the action says what it answers
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
  return { request } as HttpClient
}

/** Waits the longer, the more tries were lost. */
const pause = async ({ random, delay }: Environment, lost: number): Promise<void> => {
  if (lost === 0) return
  const ms = random() * Math.min(longestPauseMs, 500 * 2 ** lost)
  await new Promise<void>((resolve) => void delay(resolve, ms))
}

/** The answer; undefined where none came, or one that says that the outcome is not known. */
const post = async (
  url: string,
  token: string,
  payload: object,
  { environment, withinMs }: { environment: Environment; withinMs: number },
): Promise<{ status: number; body: Answer } | undefined> => {
  const late = new AbortController()
  const stop = environment.delay(() => late.abort(), withinMs)
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(payload),
      signal: late.signal,
    })
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    const body = (await response.json()) as Answer
    return response.status >= 500 && body.error === undefined ? undefined : { status: response.status, body }
  } catch {
    return undefined
  } finally {
    stop()
  }
}

const isEmpty = (body: object): boolean => Object.keys(body).length === 0
