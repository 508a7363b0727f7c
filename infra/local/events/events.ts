import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { listenOn } from '../listen-on.ts'
import { startPosting } from './post-events.ts'
import { answerPut, type BusEvent, type Refuses } from './put-events.ts'

export interface LocalEvents {
  /** Where `PutEvents` is asked. */
  url: string
  /** What the bus has taken, the oldest first; none of it is kept where it is posted. */
  taken: BusEvent[]
  /** Has the bus refuse entries, by a code; undefined: it takes all. */
  setFault(refuses: Refuses | undefined): void
  /** Resolves when every event was posted once. */
  settled(): Promise<void>
  stop(): Promise<void>
}

/**
 * An event bus on loopback: takes `PutEvents`, and posts each event to `to` as an API destination does, until
 * it is taken. Without `to` the bus keeps the events for tests to look at.
 */
export const startEvents = async ({
  bus,
  to,
  pauseMs,
}: {
  bus: string
  to?: string | undefined
  /** Before the second attempt at a receiver; it doubles. */
  pauseMs?: number
}): Promise<LocalEvents> => {
  const taken: BusEvent[] = []
  const poster = to === undefined ? undefined : startPosting(to, pauseMs === undefined ? {} : { pauseMs })
  let refuses: Refuses | undefined
  const server = createServer((request, response) => {
    text(request).then(
      (body) => {
        const target = String(request.headers['x-amz-target'] ?? '')
        const answer = answerPut({ target, body, bus }, (event) => refuses?.(event))
        for (const event of answer.taken) if (poster === undefined) taken.push(event)
        for (const event of answer.taken) poster?.add(event)
        response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.1' }).end(answer.body)
      },
      () => response.destroy(), // the client went away
    )
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  return {
    url: `http://127.0.0.1:${port}/`,
    taken,
    setFault: (given) => (refuses = given),
    settled: async () => poster?.settled(),
    stop: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await Promise.all([closed, poster?.stop()])
    },
  }
}
