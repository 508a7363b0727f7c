import { beforeAll, describe, expect, test } from 'vitest'
import { limits } from '../../shared/protocol/limits.ts'
import { readChat } from '../../shared/table/chat/chats.ts'
import { keys } from '../../shared/table/keys.ts'
import { calm } from '../races/holding.ts'
import { type Client } from '../support/client.ts'
import { message } from '../support/events.ts'
import { sharedWorld, type World } from '../support/world.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})

/** Ben, who hears his own chats alone, beside a chat of ann's that everyone may see. */
const openOffice = async (groups: number[] = []) => {
  const license = await world.license({ ann: {}, ben: { groups: [1] } }, { groups: ['one'] })
  const ann = await license.login('ann')
  const ben = await license.login('ben', { chats: 'my' })
  const { chat } = await ann.ok('start_chat', { chat: { scopes: { groups } } })
  await calm(world)
  for (const client of [ann, ben]) await client.received()
  return { license, ann, ben, chat_id: chat.id as string }
}
const names = async (client: Client) => {
  await calm(world)
  return (await client.received()).map(({ action }) => action)
}
const say = async (by: Client, chat_id: string, text = 'hello') =>
  by.ok('send_event', { chat_id, event: message(text) })
const refused = async (by: Client, payload: object): Promise<any> => {
  const answer: any = await by.call('follow_chat', payload)
  return answer.payload.error
}
const followersIn = async (chat_id: string) => (await readChat(world.table.read, chat_id))?.followers

describe('follow_chat', () => {
  test('shows the chat to all connections of the agent, and lets them hear what is said in it', async () => {
    const { license, ann, ben, chat_id } = await openOffice()
    const other = await license.login('ben', { chats: 'my' })
    await say(ann, chat_id, 'unheard')
    expect(await names(ben)).toEqual([])
    await ben.ok('follow_chat', { chat_id })
    await calm(world)
    for (const client of [ben, other]) {
      const [shown, ...more] = await client.received()
      expect(shown).toMatchObject({ action: 'incoming_chat_thread', payload: { chat: { id: chat_id } } })
      expect(shown?.payload).toMatchObject({ chat: { thread: { events: [{ text: 'unheard' }] } } })
      expect(more).toEqual([])
    }
    expect(await names(ann)).toEqual(['incoming_event'])
    await say(ann, chat_id)
    expect(await names(ben)).toEqual(['incoming_event'])
  })

  test('again changes nothing, and pushes nothing', async () => {
    const { ben, chat_id } = await openOffice()
    await ben.ok('follow_chat', { chat_id })
    await names(ben)
    await ben.ok('follow_chat', { chat_id })
    expect(await names(ben)).toEqual([])
    expect(await followersIn(chat_id)).toEqual([{ id: 'ben', thread: 1 }])
  })

  test('lasts until the thread after the next begins', async () => {
    const { ann, ben, chat_id } = await openOffice()
    await ben.ok('follow_chat', { chat_id })
    const restart = async () => {
      await ann.ok('close_thread', { chat_id })
      await say(ann, chat_id, 'anew')
      await names(ben)
      await say(ann, chat_id)
    }
    await restart()
    expect(await names(ben)).toEqual(['incoming_event'])
    await restart()
    expect(await names(ben)).toEqual([])
  })

  test('ends with access, also where that comes back', async () => {
    const { ann, ben, chat_id } = await openOffice([1])
    await ben.ok('follow_chat', { chat_id })
    await ann.ok('update_chat_scopes', {
      chat_id,
      add_scopes: { agents: ['ann'] },
      remove_scopes: { groups: [1] },
    })
    await names(ben)
    await say(ann, chat_id)
    expect(await names(ben)).toEqual([])
    await ann.ok('update_chat_scopes', { chat_id, add_scopes: { groups: [1] } })
    expect(await names(ben)).toEqual(['incoming_chat_thread', 'chat_scopes_updated'])
    await say(ann, chat_id)
    expect(await names(ben)).toEqual([])
  })

  test('is refused without access, and where as many follow as may', async () => {
    const { license, ben, chat_id } = await openOffice()
    const dora = await license.login('ann')
    const { chat } = await dora.ok('start_chat', { chat: { scopes: { agents: ['ann'] } } })
    expect(await refused(ben, { chat_id: chat.id })).toMatchObject({ type: 'authorization' })
    const followers = Array.from({ length: limits.followers }, (_, n) => ({ id: `other${n}`, thread: 1 }))
    await putFollowers(chat_id, followers)
    expect(await refused(ben, { chat_id })).toMatchObject({
      type: 'validation',
      details: [{ path: 'payload.chat_id', message: 'At most 50 agents may follow a chat' }],
    })
    expect(await followersIn(chat_id)).toHaveLength(limits.followers)
  })

  test('of who is told nothing else: nobody in the chat learns of it', async () => {
    const { ann, ben, chat_id } = await openOffice()
    await ben.ok('follow_chat', { chat_id })
    await ben.ok('unfollow_chat', { chat_id })
    expect(await names(ann)).toEqual([])
    const { chat } = await ann.ok('get_chat_threads', { chat_id })
    expect(chat).not.toHaveProperty('followers')
  })
})

describe('unfollow_chat', () => {
  test('ends it, and says so to all connections of the agent', async () => {
    const { license, ann, ben, chat_id } = await openOffice()
    const other = await license.login('ben', { chats: 'my' })
    await ben.ok('follow_chat', { chat_id })
    for (const client of [ben, other]) await names(client)
    await ben.ok('unfollow_chat', { chat_id })
    await calm(world)
    for (const client of [ben, other])
      expect(await client.received()).toMatchObject([{ action: 'chat_unfollowed', payload: { chat_id } }])
    await say(ann, chat_id)
    expect(await names(ben)).toEqual([])
    await ben.ok('unfollow_chat', { chat_id })
    expect(await names(ben)).toEqual([])
  })
})

const putFollowers = async (chat_id: string, followers: object[]) => {
  await world.table.write.write({
    Update: {
      Key: keys.chat(chat_id),
      UpdateExpression: 'SET followers = :followers',
      ExpressionAttributeValues: { ':followers': followers },
    },
  })
}
