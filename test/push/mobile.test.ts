import { marshall } from '@aws-sdk/util-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test, vi } from 'vitest'
import { changeAgent } from '../../shared/provisioning/change-agent.ts'
import { openHandlers } from '../../infra/local/handlers.ts'
import { deviceHash, readDevice } from '../../shared/table/devices.ts'
import { keys } from '../../shared/table/keys.ts'
import type { Client } from '../support/client.ts'
import { functionsIn } from '../support/functions.ts'
import { answers, type FcmAnswer, type FcmServer, startFcmServer } from '../support/fcm-server.ts'
import { type AgentDraft, type License, startWorld, type World } from '../support/world.ts'

let world: World
let fcm: FcmServer
/** The worker's bundle itself, for records that come again. */
let notify: (event: unknown) => unknown
beforeAll(async () => {
  fcm = await startFcmServer()
  world = await startWorld({ fcm: { serviceAccount: fcm.serviceAccount, endpoint: fcm.url } })
  notify = openHandlers(functionsIn(inject('functions'))(world.settings)).handler('worker/notify')
})
afterAll(() => fcm.stop())
afterEach(() => void vi.restoreAllMocks())

const newToken = () => `phone:${crypto.randomUUID()}`
const message = (text: string) => ({ type: 'message', text })
const presenting = (firebase_token: string, platform = 'android') => ({
  push_notifications: { firebase_token, platform },
})

/** An agent logs in with its phone, and the app goes to sleep. Resolves to the phone's token. */
const withPhone = async (license: License, agent: string, platform = 'android'): Promise<string> => {
  const token = newToken()
  const client = await license.login(agent, presenting(token, platform))
  await client.close()
  await world.settled()
  return token
}

/**
 * A phone of ben's for each of these answers, which FCM gives to its next `times` messages. Resolves to their
 * tokens.
 */
const withPhones = async (
  license: License,
  given: Record<string, FcmAnswer>,
  times = 1,
): Promise<[string, string][]> => {
  const phones: [string, string][] = []
  for (const [name, answer] of Object.entries(given)) {
    const phone = await withPhone(license, 'ben')
    fcm.answer(phone, ...Array.from({ length: times }, () => answer))
    phones.push([name, phone])
  }
  return phones
}

interface Scene {
  license: License
  ann: Client
  chat_id: string
  /** Of ben, who is in ann's chat. */
  phone: string
}

const openScene = async (others: Record<string, AgentDraft> = {}): Promise<Scene> => {
  const license = await world.license({ ann: { name: 'Ann' }, ben: {}, ...others })
  const ann = await license.login('ann')
  const phone = await withPhone(license, 'ben')
  const { chat } = await ann.ok('start_chat')
  await ann.ok('join_chat', { chat_id: chat.id, agent_ids: ['ben'] })
  return { license, ann, chat_id: chat.id, phone }
}

/** Sends an event and waits until all that follows from it is done. Resolves to the event's id. */
const say = async ({ ann, chat_id }: Scene, event: object = message('hello')): Promise<string> => {
  const { event: sent } = await ann.ok('send_event', { chat_id, event })
  await world.settled()
  return sent.id
}
/** The events that a phone was notified of, in order. */
const heard = (token: string): string[] =>
  fcm.sent.filter((sent) => sent.token === token).map(({ data }) => data['event_id']!)
/** When FCM was asked to notify a phone, whatever it answered. */
const attempts = (token: string): number[] =>
  fcm.asked.filter((asked) => asked.token === token).map(({ atMs }) => atMs)
const isKept = async (token: string): Promise<boolean> => {
  const device = await readDevice(world.table.read, deviceHash(token))
  if (device === undefined) return false
  const { license_id, agent_id, hash } = device
  return (await world.table.read.get(keys.agentDevice(license_id, agent_id, hash))) !== undefined
}

/**
 * Sends an event while the phone's app is awake: the phone has not been notified of it when the app goes to
 * sleep.
 */
const sayUnnoticed = async (scene: Scene): Promise<string> => {
  const app = await scene.license.login('ben', presenting(scene.phone))
  const event = await say(scene)
  await app.close()
  await world.settled()
  return event
}

/** The stream's record of an event, as it comes again. */
const recordOf = async ({ chat_id }: Scene, event: string, over: object = {}) => {
  const [n, m] = event.slice(chat_id.length + 1).split('_')
  const key = keys.event(chat_id, Number(n), Number(m))
  const item = await world.table.read.get(key, { strong: true })
  return {
    eventName: 'INSERT',
    dynamodb: {
      Keys: marshall(key),
      NewImage: marshall({ ...item, ...over }),
      SequenceNumber: '1',
    },
  }
}

let lifeline: Scene
beforeAll(async () => {
  lifeline = await openScene()
})
// whatever went wrong before: FCM works, and the worker has noticed
beforeEach(async () => {
  const event = await say(lifeline)
  if (!heard(lifeline.phone).includes(event)) throw new Error('No notification arrives any more')
})

/**
 * A scene that tests share which leave who is in it, and ben's phone, as they are: it has not been notified
 * yet.
 */
const sameScene = (): Scene => {
  for (const list of [fcm.sent, fcm.asked]) list.length = 0
  return lifeline
}

describe('an event', () => {
  test.each([
    [{ customer: { name: 'Kim' } }, 'Kim'],
    [{}, 'Customer'],
  ])('of a customer who logged in with %j is shown under the name %s', async (login, title) => {
    const license = await world.license({ ben: {} })
    const ben = await license.login('ben')
    const { client } = await license.visit(login)
    const { chat } = await client.ok('start_chat')
    expect(chat.users.map(({ id }: any) => id)).toContain('ben')
    await ben.close()
    const phone = await withPhone(license, 'ben')
    const { event } = await client.ok('send_event', { chat_id: chat.id, event: message('anybody?') })
    await world.settled()
    expect(heard(phone)).toEqual([event.id])
    expect(fcm.sent.find(({ token }) => token === phone)).toMatchObject({
      notification: { title, body: 'anybody?' },
    })
  })

  test('reaches the phone of who is in the chat, with author, text and ids', async () => {
    const scene = sameScene()
    const event = await say(scene, message('How are you?'))
    expect(fcm.sent.filter(({ token }) => token === scene.phone)).toEqual([
      {
        token: scene.phone,
        notification: { title: 'Ann', body: 'How are you?' },
        data: {
          chat_id: scene.chat_id,
          thread_id: `${scene.chat_id}_1`,
          event_id: event,
          event_type: 'message',
          author_id: 'ann',
        },
        android: { priority: 'HIGH', ttl: '86400s', notification: { tag: scene.chat_id } },
      },
    ])
  })

  test('reaches an iOS phone in the form of its platform', async () => {
    const scene = sameScene()
    const iPhone = await withPhone(scene.license, 'ben', 'ios')
    await say(scene)
    const [sent] = fcm.sent.filter(({ token }) => token === iPhone)
    expect(sent).toMatchObject({ apns: { payload: { aps: { 'thread-id': scene.chat_id } } } })
    expect(sent?.android).toBeUndefined()
  })

  test('that is a form or custom is told of without its content', async () => {
    const scene = sameScene()
    const field = { type: 'text', name: 'pin', label: 'PIN', value: 'secret-1234' }
    await say(scene, { type: 'filled_form', fields: [field] })
    await say(scene, { type: 'custom', content: { pin: 'secret-1234' } })
    const sent = fcm.sent.filter(({ token }) => token === scene.phone)
    expect(sent.map(({ notification }) => notification.body)).toEqual(['Sent a form', 'Sent a message'])
    expect(JSON.stringify(sent)).not.toContain('secret-1234')
  })

  test('of 16 KiB arrives, cut', async () => {
    const scene = sameScene()
    const event = await say(scene, message('👩‍👩‍👧‍👦'.repeat(600)))
    expect(heard(scene.phone)).toEqual([event])
  })

  test('with which a thread starts is told of like any other', async () => {
    const scene = await openScene()
    await scene.ann.ok('close_thread', { chat_id: scene.chat_id })
    const event = await say(scene)
    expect(event).toBe(`${scene.chat_id}_2_1`)
    expect(heard(scene.phone)).toEqual([event])
  })

  test('goes out over a connection of its own: one that was kept may have died while the function was frozen', async () => {
    const scene = sameScene()
    await say(scene)
    await say(scene)
    const asked = fcm.asked.filter(({ token }) => token === scene.phone)
    expect(asked.map(({ connection }) => connection)).toEqual(['close', 'close'])
  })

  test('that is an annotation or a system message is not told of', async () => {
    const scene = await openScene({ cleo: {} })
    await say(scene, { type: 'annotation', annotation_type: 'rating', text: 'good' })
    await scene.ann.ok('join_chat', { chat_id: scene.chat_id, agent_ids: ['cleo'] })
    await scene.ann.ok('close_thread', { chat_id: scene.chat_id })
    await world.settled()
    expect(attempts(scene.phone)).toEqual([])
  })
})

describe('who is in the chat', () => {
  test('as a supervisor is notified too', async () => {
    const scene = await openScene({ sue: { permission: 'owner' } })
    const token = newToken()
    const sue = await scene.license.login('sue', presenting(token))
    await sue.ok('supervise_chat', { chat_id: scene.chat_id })
    await sue.close()
    const event = await say(scene)
    expect(heard(token)).toEqual([event])
  })

  test('is notified on each of its phones', async () => {
    const scene = sameScene()
    const second = await withPhone(scene.license, 'ben')
    const event = await say(scene)
    expect([heard(scene.phone), heard(second)]).toEqual([[event], [event]])
  })

  test('is not notified of its own events', async () => {
    const scene = sameScene()
    const own = await withPhone(scene.license, 'ann')
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
    expect(attempts(own)).toEqual([])
  })

  test(
    'no more is not notified, and who never was neither, whatever it may see',
    { tags: ['full'] },
    async () => {
      const scene = await openScene({ olga: { permission: 'owner' } })
      const olga = await withPhone(scene.license, 'olga')
      await say(scene)
      await scene.ann.ok('remove_from_chat', { chat_id: scene.chat_id, agent_ids: ['ben'] })
      await say(scene)
      expect(heard(scene.phone)).toHaveLength(1)
      expect(attempts(olga)).toEqual([])
    },
  )

  test('of another license under the same id is not', { tags: ['full'] }, async () => {
    const [scene, other] = [await openScene(), await openScene()]
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
    expect(attempts(other.phone)).toEqual([])
  })

  test(
    'and suspended is not, until it is suspended no more and in the chat again',
    { tags: ['full'] },
    async () => {
      const scene = await openScene()
      const { license, chat_id } = scene
      await changeAgent(world.table, license.id, 'ben', { suspended: true })
      await say(scene)
      expect(attempts(scene.phone)).toEqual([])
      await changeAgent(world.table, license.id, 'ben', { suspended: false })
      await scene.ann.ok('join_chat', { chat_id, agent_ids: ['ben'] })
      const event = await say(scene)
      expect(heard(scene.phone)).toEqual([event])
    },
  )

  test.each(['suspended', 'deleted'])('and %s is not, also while the chat still has it', async (flag) => {
    const scene = await openScene()
    const event = await sayUnnoticed(scene)
    await world.table.write.write({
      Update: {
        Key: keys.agent(scene.license.id, 'ben'),
        UpdateExpression: 'SET #flag = :true',
        ExpressionAttributeNames: { '#flag': flag },
        ExpressionAttributeValues: { ':true': true },
      },
    })
    await notify({ Records: [await recordOf(scene, event)] })
    expect(attempts(scene.phone)).toEqual([])
    expect(await isKept(scene.phone)).toBe(true)
  })

  test('by a token that may not read chats is not', async () => {
    const scene = sameScene()
    const [blind, mine] = [newToken(), newToken()]
    for (const [token, scope] of [
      [blind, 'broadcast:write'],
      [mine, 'chats--my:read'],
    ] as const)
      await (await scene.license.login('ben', presenting(token), { scope })).close()
    await world.settled()
    const event = await say(scene)
    expect(attempts(blind)).toEqual([])
    expect(heard(mine)).toEqual([event])
  })
})

describe('a phone', () => {
  test('whose socket lives is not notified, and is from when it is gone', async () => {
    const scene = sameScene()
    const app = await scene.license.login('ben', presenting(scene.phone))
    await say(scene)
    expect(attempts(scene.phone)).toEqual([])
    await app.close()
    await world.settled()
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
  })

  test('that a logout names is notified no more, while another of the agent is, and one that none names', async () => {
    const scene = await openScene()
    const tablet = await withPhone(scene.license, 'ben')
    const kept = await scene.license.login('ben', presenting(tablet))
    await kept.ok('logout')
    const app = await scene.license.login('ben', presenting(scene.phone))
    const before = await say(scene)
    await app.ok('logout', { firebase_token: scene.phone })
    // while its connection is still open, and once it is closed
    const after = await say(scene)
    await app.closing()
    const last = await say(scene)
    expect(heard(scene.phone)).toEqual([])
    expect(heard(tablet)).toEqual([before, after, last])
  })

  test('is notified though its agent has a socket elsewhere, without a phone or with another', async () => {
    const scene = await openScene()
    await scene.license.login('ben')
    await scene.license.login('ben', presenting(newToken()))
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
  })

  test('is notified again once its socket has logged in without it', async () => {
    const scene = await openScene()
    const app = await scene.license.login('ben', presenting(scene.phone))
    await app.ok('login', { token: await scene.license.token('ben') })
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
  })

  test(
    'that is turned off is not notified, also after a login, and is once it is on again',
    { tags: ['full'] },
    async () => {
      const scene = await openScene()
      const { phone, license } = scene
      const ben = await license.login('ben')
      const change = { firebase_token: phone, platform: 'android' }
      await ben.ok('change_push_notifications', { ...change, enabled: false })
      await (await license.login('ben', presenting(phone))).close()
      await say(scene)
      expect(attempts(phone)).toEqual([])
      await ben.ok('change_push_notifications', { ...change, enabled: true })
      const event = await say(scene)
      expect(heard(phone)).toEqual([event])
    },
  )

  test('that has moved is notified for its new agent only', async () => {
    const scene = await openScene({ cleo: {} })
    const cleo = await scene.license.login('cleo')
    const change = { firebase_token: scene.phone, platform: 'android', enabled: true }
    await cleo.ok('change_push_notifications', change)
    await say(scene)
    expect(attempts(scene.phone)).toEqual([])
    await scene.ann.ok('join_chat', { chat_id: scene.chat_id, agent_ids: ['cleo'] })
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
  })
})

describe('records of the stream', () => {
  test('that come again notify no phone twice, whether at once or one after the other', async () => {
    const scene = sameScene()
    const event = await sayUnnoticed(scene)
    const record = await recordOf(scene, event)
    expect(attempts(scene.phone)).toEqual([])
    const batch = { Records: [record, record] }
    expect(await Promise.all([notify(batch), notify(batch), notify(batch)])).toEqual(
      Array.from({ length: 3 }, () => ({ batchItemFailures: [] })),
    )
    await notify(batch)
    expect(heard(scene.phone)).toEqual([event])
    expect(attempts(scene.phone)).toHaveLength(1)
  })

  test('leave a mark that lasts a day', async () => {
    const scene = sameScene()
    const event = await say(scene)
    const mark = await world.table.read.get(keys.notified(deviceHash(scene.phone), event))
    const inS = Number(mark?.['ttl']) - Date.now() / 1000
    expect(inS).toBeGreaterThan(24 * 3600 - 60)
    expect(inS).toBeLessThanOrEqual(24 * 3600)
  })

  test('that are older than ten minutes notify nobody', async () => {
    const scene = sameScene()
    const event = await sayUnnoticed(scene)
    const old = await recordOf(scene, event, { at: Date.now() - 10 * 60_000 - 1000 })
    await notify({ Records: [old] })
    expect(attempts(scene.phone)).toEqual([])
    await notify({ Records: [await recordOf(scene, event, { at: Date.now() - 9 * 60_000 })] })
    expect(heard(scene.phone)).toEqual([event])
  })

  test('of entries that were changed or went notify nobody', async () => {
    const scene = sameScene()
    const event = await sayUnnoticed(scene)
    const record = await recordOf(scene, event)
    for (const eventName of ['MODIFY', 'REMOVE']) await notify({ Records: [{ ...record, eventName }] })
    expect(attempts(scene.phone)).toEqual([])
  })

  test('that make no sense fail no batch, and keep no other from its phone', async () => {
    const scene = sameScene()
    const event = await sayUnnoticed(scene)
    const record = await recordOf(scene, event)
    const broken = await recordOf(scene, event, { event: { type: 'unheard of' } })
    expect(await notify({ Records: [broken, record] })).toEqual({ batchItemFailures: [] })
    expect(heard(scene.phone)).toEqual([event])
  })
})

describe('a token that FCM does not know any more', () => {
  test('is removed, however FCM says so, and not asked for again', async () => {
    const scene = sameScene()
    const unknown = await withPhones(scene.license, {
      UNREGISTERED: answers.unregistered,
      'INVALID_ARGUMENT with the sentence for tokens': answers.badToken,
      'INVALID_ARGUMENT about message.token': answers.badTokenField,
      'INVALID_ARGUMENT about nothing in particular': answers.badArgument,
    })
    await say(scene)
    await say(scene)
    for (const [name, phone] of unknown) {
      expect(attempts(phone), name).toHaveLength(1)
      expect(await isKept(phone), name).toBe(false)
    }
    expect(heard(scene.phone)).toHaveLength(2)
    expect(await isKept(scene.phone)).toBe(true)
  })

  test('is not removed from who has got it meanwhile', async () => {
    const scene = await openScene()
    const elsewhere = await world.license({ ben: {} })
    const stranger = await elsewhere.login('ben')
    const change = { firebase_token: scene.phone, platform: 'android', enabled: true }
    fcm.answer(scene.phone, async () => {
      await stranger.ok('change_push_notifications', change)
      return answers.unregistered
    })
    await say(scene)
    expect(await readDevice(world.table.read, deviceHash(scene.phone))).toMatchObject({
      ...{ license_id: elsewhere.id, enabled: true },
    })
    expect(await isKept(scene.phone)).toBe(true)
  })
})

describe('a message that FCM refuses', () => {
  test('is dropped, and the device kept, whatever is wrong with it', { tags: ['full'] }, async () => {
    const scene = await openScene()
    const refused = await withPhones(scene.license, {
      'another field of it is wrong': answers.badValue,
      'it is too big': answers.tooBig,
      'the token is another sender’s': answers.otherSender,
      'there is no such project': answers.noSuchProject,
    })
    await say(scene)
    for (const [why, phone] of refused) expect(attempts(phone), why).toHaveLength(1)
    const event = await say(scene)
    for (const [why, phone] of refused) {
      expect(heard(phone), why).toEqual([event])
      expect(await isKept(phone), why).toBe(true)
    }
  })
})

/** The pauses between the attempts of a phone, in ms. */
const pauses = (token: string): number[] => {
  const times = attempts(token)
  return times.slice(1).map((atMs, index) => atMs - times[index]!)
}

describe('an FCM that is busy or failing', () => {
  test('is asked again, after a longer pause each time', { tags: ['full'] }, async () => {
    const scene = sameScene()
    const failing = { 429: answers.quota, 500: answers.internal, 503: answers.unavailable }
    const busy = await withPhones(scene.license, failing, 2)
    const event = await say(scene)
    for (const [status, phone] of busy) {
      expect(heard(phone), status).toEqual([event])
      const [first, second] = pauses(phone)
      expect(first, status).toBeGreaterThanOrEqual(245)
      expect(second, status).toBeGreaterThanOrEqual(495)
    }
  })

  test('is asked when it said', { tags: ['full'] }, async () => {
    const scene = sameScene()
    fcm.answer(scene.phone, { ...(answers.quota as Exclude<FcmAnswer, 'hang'>), retryAfter: '1' })
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
    expect(pauses(scene.phone)[0]).toBeGreaterThanOrEqual(990)
  })

  test('is asked at the date it said', { tags: ['full'] }, async () => {
    const scene = await openScene()
    const retryAfter = new Date(Date.now() + 3000).toUTCString()
    fcm.answer(scene.phone, { status: 503, retryAfter })
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(retryAfter))
  })

  test('is not waited for where that would take longer than there is time', async () => {
    const scene = sameScene()
    fcm.answer(scene.phone, { status: 429, retryAfter: '3600' })
    await say(scene)
    expect(attempts(scene.phone)).toHaveLength(1)
    expect(await isKept(scene.phone)).toBe(true)
  })

  test(
    'is given up after four attempts; until it works again one attempt is made, and no wait',
    { tags: ['full'] },
    async () => {
      const scene = await openScene()
      fcm.answer(scene.phone, ...Array.from({ length: 5 }, () => answers.unavailable))
      await say(scene)
      expect(attempts(scene.phone)).toHaveLength(4)
      await say(scene)
      expect(attempts(scene.phone)).toHaveLength(5)
      const event = await say(scene)
      expect(heard(scene.phone)).toEqual([event])
      fcm.answer(scene.phone, answers.unavailable)
      const next = await say(scene)
      expect(heard(scene.phone)).toEqual([event, next])
    },
  )

  test('keeps no other phone waiting', { tags: ['full'] }, async () => {
    const scene = await openScene()
    const other = await withPhone(scene.license, 'ben')
    fcm.answer(scene.phone, { status: 503, retryAfter: '6' })
    const { event } = await scene.ann.ok('send_event', { chat_id: scene.chat_id, event: message('hi') })
    await vi.waitFor(() => expect(heard(other)).toEqual([event.id]), { timeout: 5000 })
    expect(heard(scene.phone)).toEqual([])
    await world.settled()
    expect(heard(scene.phone)).toEqual([event.id])
  })

  test(
    'that does not answer at all fails no batch, is not asked twice, and holds up no account',
    { tags: ['full'] },
    async () => {
      const scene = await openScene({ cleo: {} })
      const cleo = await scene.license.login('cleo')
      fcm.answer(scene.phone, 'hang', 'hang')
      await scene.ann.ok('send_event', { chat_id: scene.chat_id, event: message('hello') })
      await vi.waitFor(() => expect(attempts(scene.phone)).toHaveLength(1), { timeout: 5000 })
      await changeAgent(world.table, scene.license.id, 'cleo', { suspended: true })
      expect(await cleo.eventually('agent_disconnected')).toEqual({ reason: 'access_token_revoked' })
      await world.settled()
      expect(attempts(scene.phone)).toHaveLength(1)

      const event = await sayUnnoticed(scene)
      expect(await notify({ Records: [await recordOf(scene, event)] })).toEqual({ batchItemFailures: [] })
    },
  )
})

describe('access tokens', () => {
  test('are got once for many messages', { tags: ['full'] }, async () => {
    const scene = await openScene()
    await say(scene)
    const before = fcm.exchanges()
    for (let count = 0; count < 5; count += 1) await say(scene)
    expect(heard(scene.phone)).toHaveLength(6)
    expect(fcm.exchanges()).toBe(before)
  })

  test(
    'that FCM does not take are renewed, once for all messages under way',
    { tags: ['full'] },
    async () => {
      const scene = await openScene()
      const phones = [scene.phone]
      for (let count = 0; count < 4; count += 1) phones.push(await withPhone(scene.license, 'ben'))
      fcm.revoke()
      const before = fcm.exchanges()
      const event = await say(scene)
      expect(phones.map(heard)).toEqual(phones.map(() => [event]))
      expect(fcm.exchanges()).toBe(before + 1)
    },
  )

  test('that it does not take then either are given up, and the device kept', async () => {
    const scene = sameScene()
    fcm.answer(scene.phone, answers.unauthenticated, answers.unauthenticated)
    await say(scene)
    expect(attempts(scene.phone)).toHaveLength(2)
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
    expect(await isKept(scene.phone)).toBe(true)
  })

  test('are asked for again where Google is failing', { tags: ['full'] }, async () => {
    const scene = await openScene()
    fcm.revoke()
    fcm.exchange(503)
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
  })

  test('that Google refuses to give drop the message, and the service account is read anew', async () => {
    // of several phones one may ask when the account has been read anew for another
    const scene = await openScene()
    fcm.revoke()
    fcm.exchange(400)
    await say(scene)
    expect(heard(scene.phone)).toEqual([])
    const event = await say(scene)
    expect(heard(scene.phone)).toEqual([event])
  })
})

test('the log names what went wrong, and holds no token and no text', async () => {
  const scene = await openScene()
  const lines: string[] = []
  for (const stream of [process.stdout, process.stderr])
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      lines.push(String(chunk))
      return true
    })
  const text = 'a text for ben alone'
  const failing: FcmAnswer[] = [
    answers.badValue,
    answers.otherSender,
    // longer than it is waited for
    { status: 503, retryAfter: '3600' },
    answers.unregistered,
  ]
  for (const answer of failing) {
    fcm.answer(scene.phone, answer, answer, answer, answer)
    await say(scene, message(text))
  }
  fcm.revoke()
  fcm.exchange(400)
  const second = await withPhone(scene.license, 'ben')
  await say(scene, message(text))
  vi.restoreAllMocks()
  const log = lines.join('\n')
  for (const word of ['not sent', 'given up', 'SENDER_ID_MISMATCH', 'message.data[0].value'])
    expect(log).toContain(word)
  for (const secret of [scene.phone, second, text, 'ya29.', 'PRIVATE KEY', 'assertion'])
    expect(log).not.toContain(secret)
})
