import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { startEvents, type LocalEvents } from '../../infra/local/events/events.ts'
import { listenOn } from '../../infra/local/listen-on.ts'

const ending: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of ending.splice(0).toReversed()) await one.stop()
})

/** A receiver that answers each post by what `answers` says; `undefined`: not at all. */
const startReceiver = async (answers: (text: string) => number | undefined) => {
  const posted: any[] = []
  const wakers: (() => void)[] = []
  const server: Server = createServer((request, response) => {
    void json(request).then((event: any) => {
      const status = answers(event.detail.text)
      if (status === undefined) return response.destroy()
      posted.push({ ...event, type: request.headers['content-type'], status })
      response.writeHead(status).end()
      for (const wake of wakers.splice(0)) wake()
    })
  })
  const port = await listenOn(server, 0, '127.0.0.1')
  ending.push({
    stop: async () => {
      server.closeAllConnections()
      server.close()
    },
  })
  const until = async (fits: () => boolean) => {
    while (!fits()) await new Promise<void>((resolve) => wakers.push(resolve))
  }
  return { url: `http://127.0.0.1:${port}/hook`, posted, until }
}

const start = async (options: { to?: string; pauseMs?: number } = {}): Promise<LocalEvents> => {
  const events = await startEvents({ bus: 'b', ...options })
  ending.push(events)
  return events
}

const entry = (text: string, more: object = {}) => ({
  ...{
    EventBusName: 'b',
    Source: 's',
    DetailType: 't',
    Detail: JSON.stringify({ text }),
    Time: 1_800_000_000,
  },
  ...more,
})
const put = async ({ url }: LocalEvents, entries: object[], target = 'AWSEvents.PutEvents') => {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'x-amz-target': target },
    body: JSON.stringify({ Entries: entries }),
  })
  return { status: response.status, ...((await response.json()) as any) }
}

test('takes what EventBridge takes, and refuses what it refuses', async () => {
  const events = await start()
  events.setFault(({ detail }: { detail: any }) => (detail.text === 'no' ? 'ThrottlingException' : undefined))
  expect(await put(events, [entry('a'), entry('no'), entry('b', { Detail: 'none' })])).toEqual({
    status: 200,
    FailedEntryCount: 2,
    Entries: [
      { EventId: events.taken[0]!.id },
      { ErrorCode: 'ThrottlingException', ErrorMessage: expect.any(String) },
      { ErrorCode: 'MalformedDetail', ErrorMessage: expect.any(String) },
    ],
  })
  expect(events.taken).toEqual([
    {
      ...{
        version: '0',
        id: expect.any(String),
        account: '000000000000',
        region: 'us-east-1',
        resources: [],
      },
      ...{ source: 's', 'detail-type': 't', time: '2027-01-15T08:00:00Z', detail: { text: 'a' } },
    },
  ])
  const eleven = Array.from({ length: 11 }, () => entry('x'))
  const large = [entry('x'.repeat(200_000)), entry('x'.repeat(70_000))]
  for (const refused of [[], eleven, large, [{ ...entry('x'), Source: '' }]])
    expect(await put(events, refused)).toMatchObject({ status: 400, __type: 'ValidationException' })
  expect(await put(events, [], 'AWSEvents.PutRule')).toMatchObject({ status: 400 })
  expect(events.taken).toHaveLength(1)
})

test('posts each event until its receiver takes it or refuses it for good', async () => {
  const tries = new Map<string, number>()
  const receiver = await startReceiver((text) => {
    const n = (tries.get(text) ?? 0) + 1
    tries.set(text, n)
    if (text === 'bad') return 400
    if (text === 'late') return ([undefined, 503, 429] as const)[n - 1] ?? (n > 3 ? 200 : undefined)
    return 200
  })
  const events = await start({ to: receiver.url, pauseMs: 1 })
  expect(
    await put(
      events,
      ['late', 'bad', 'good'].map((text) => entry(text)),
    ),
  ).toMatchObject({
    FailedEntryCount: 0,
  })
  await events.settled()
  expect(new Set(tries.keys())).toEqual(new Set(['late', 'bad', 'good']))
  await receiver.until(() =>
    receiver.posted.some(({ detail, status }) => detail.text === 'late' && status === 200),
  )
  expect([...tries]).toEqual(
    expect.arrayContaining([
      ['late', 4],
      ['bad', 1],
      ['good', 1],
    ]),
  )
  expect(receiver.posted[0]).toMatchObject({
    version: '0',
    source: 's',
    type: 'application/json; charset=utf-8',
  })
})

test('ends at once while a receiver is down', async () => {
  const receiver = await startReceiver(() => undefined)
  const events = await start({ to: receiver.url, pauseMs: 60_000 })
  await put(events, [entry('lost')])
  await events.settled()
  await events.stop()
})
