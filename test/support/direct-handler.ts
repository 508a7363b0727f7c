import { NodeHttpHandler as SocketHandler } from '@smithy/node-http-handler'
import { handleDirectly } from './direct.ts'

// Stands for the SDK's own handler in the bundles of tests: what a server of the same process answers directly goes over no
// socket. Everything else does, and so does all that ships.

export * from '@smithy/node-http-handler'

export class NodeHttpHandler extends SocketHandler {
  override handle(...asked: Parameters<SocketHandler['handle']>): ReturnType<SocketHandler['handle']> {
    return handleDirectly(...asked) ?? super.handle(...asked)
  }
}
