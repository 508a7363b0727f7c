import { NodeHttpHandler } from '@smithy/node-http-handler'
import { answerDirectly, answerNoMore, handleDirectly } from './direct.ts'
import { openEngineConnections, writing } from './engine-connections.ts'

// the SDK's clients of tests and of local stacks
const { handle } = NodeHttpHandler.prototype
NodeHttpHandler.prototype.handle = function (this: NodeHttpHandler, ...asked) {
  return handleDirectly(...asked) ?? handle.apply(this, asked)
}

export interface StreamPolls {
  /** How often something was written to the engine. */
  writes(): number
  /** Something was written to the engine elsewhere. */
  wake(): void
  /** Holds no more of them. */
  release(): void
  stop(): void
}

// writes that go past this process
const longestHoldMs = 2000

/**
 * Answers polls of the stream of an engine that only this process writes to once there may be something to
 * read. A poll takes as long as three reads, and a stack polls all the time.
 */
export const holdStreamPolls = (endpoint: string): StreamPolls => {
  const port = Number(new URL(endpoint).port)
  const engine = openEngineConnections(endpoint)
  let writes = 0
  let read = -1
  let isReleased = false
  let wake = () => {}
  const written = () => {
    writes += 1
    wake()
  }
  const somethingNew = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longestHoldMs)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  answerDirectly(port, async ({ headers, body }) => {
    const operation = headers['x-amz-target']?.split('.')[1] ?? ''
    if (operation === 'GetRecords') {
      if (read === writes && !isReleased) await somethingNew()
      read = writes
    }
    const answer = await engine.post(headers, Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    if (writing.test(operation)) written()
    return { status: answer.status, headers: { 'content-type': answer.contentType }, body: answer.body }
  })
  return {
    writes: () => writes,
    wake: written,
    release: () => {
      isReleased = true
      wake()
    },
    stop: () => {
      answerNoMore(port)
      engine.close()
    },
  }
}
