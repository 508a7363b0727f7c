import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { clientSecretOf } from '../../infra/local/secrets/token-key.ts'
import { findAgent } from '../../shared/provisioning/change-agent.ts'
import { calm } from '../races/holding.ts'
import { message } from '../support/events.ts'
import { sharedWorld } from '../support/world.ts'

const run = promisify(execFile)

test('the commands of docs/bots.md work, from the token to the hand-over', { tags: ['full'] }, async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/bots.md'), 'utf8')
  const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, lines]) => lines!)
  const [token, begin, answer, handOver, end] = blocks.slice(2)
  expect(blocks).toHaveLength(7)

  const world = await sharedWorld()
  const license = await world.license(
    { ann: { groups: [1] }, robin: { bot: true, priority: 'first', groups: [1] } },
    { groups: ['Support'] },
  )
  const [ann, id] = [await license.login('ann'), `${license.id}/robin`]
  const shell = async (lines: string, CHAT = '') => {
    const env = {
      ...{ PATH: process.env['PATH'], CLIENT_ID: id, CLIENT_SECRET: clientSecretOf(world.key, id), CHAT },
      ...{ TOKEN_URL: world.tokenUrl, HTTP_URL: world.httpUrl },
    }
    const { stdout } = await run('bash', ['-euc', `${token}\n${lines}`], { env })
    return JSON.parse(stdout)
  }
  expect(await shell(begin!)).toEqual({})
  const { client: kim } = await license.visit()
  const { chat } = await kim.ok('start_chat', { chat: { thread: { events: [message('hello')] } } })
  expect(await shell(answer!, chat.id)).toMatchObject({ event: { author_id: 'robin' } })
  expect(await shell(handOver!, chat.id)).toEqual({})
  expect(await shell(answer!, chat.id)).toMatchObject({ error: { type: 'authorization' } })
  expect(await shell(end!)).toEqual({})
  await calm(world)
  expect(await findAgent(world.table, license.id, 'robin')).toMatchObject({ online: false })
  const { chat: now } = await ann.ok('get_chat_threads', { chat_id: chat.id })
  const present = now.users.filter((user: any) => user.type === 'agent' && user.present)
  expect(present.map((user: any) => user.id)).toEqual(['ann'])
  expect(now.threads[0].events.map(({ text }: any) => text).slice(2)).toEqual([
    'I am a bot. What is it about?',
    'Chat transferred to Support by robin',
  ])
})
