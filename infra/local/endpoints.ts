import type { ActionSpec } from '../../shared/protocol/action.ts'
import { httpActions, httpPath } from '../../shared/protocol/agent/index.ts'
import { type Gateway, type Route, startGateway } from './gateway/gateway.ts'
import { type HttpApi, startHttpApi } from './gateway/http-api.ts'
import type { Handler } from './handlers.ts'
import type { StackOptions } from './stack-options.ts'

/** The handlers of a stack, by their bundles' names. */
export type HandlerOf = (name: string) => Handler

/** The HTTP API: a path of each action that may be asked for there, all else to one function. */
export const startHttp = (options: StackOptions, handler: HandlerOf): Promise<HttpApi> => {
  const route = (name: string) => ({ handler: handler(name), functionName: name })
  return startHttpApi({
    apiId: 'http',
    port: options.httpPort ?? 0,
    routes: new Map([
      ['$default', route('http/default')],
      ...httpActions.map(({ name }): [string, ReturnType<typeof route>] => [
        `POST ${httpPath(name)}`,
        route(`agent/${name}`),
      ]),
    ]),
    ...options.gateway,
  })
}

/** What differs between the endpoints. */
interface Endpoint {
  readonly apiId: string
  readonly port: number
  /** The bundles' folder. */
  readonly audience: string
  readonly actions: readonly ActionSpec[]
  /** The bundle of `$connect`. */
  readonly connect: string
}

/** A WebSocket endpoint: a route of each of its actions, and the gateway's own three. */
export const startEndpoint = (
  options: StackOptions,
  handler: HandlerOf,
  { apiId, port, audience, actions, connect }: Endpoint,
): Promise<Gateway> => {
  const route = (name: string, twoWay: boolean): Route => ({
    twoWay,
    handler: handler(name),
    functionName: name,
  })
  const routes = new Map<string, Route>([
    ['$connect', route(connect, false)],
    ['$disconnect', route('socket/disconnect', false)],
    ['$default', route('socket/default', true)],
    ...actions.map(({ name }): [string, Route] => [name, route(`${audience}/${name}`, true)]),
  ])
  return startGateway({ apiId, stage: 'v1', port, routes, ...options.gateway })
}
