import type { Socket } from './socket.ts'
import type { Stand } from './stand.ts'

/** Eighteen agents, and customers in chats with the first of them. */
export interface Office {
  agents: string[]
  /** The agent whom customers are given to, and one who joins and leaves. */
  ann: Socket
  ben: Socket
  /**
   * A customer on two tabs: with the agents' these are the twenty sockets that the budgets of design §4 are
   * for.
   */
  carl: Socket
  /** A customer whose chat is started and closed, and one whose chat's scopes change. */
  dora: Socket
  evan: Socket
  /** An agent of a license that has an archive. */
  owner: Socket
  /** Carl's chat: of 25 messages. */
  chat_id: string
  /** Carl's id. */
  carls: string
  doras: string
  evans: string
  sockets: Socket[]
}

export const officeLicense = 'office'
export const archive = { license: 'archive', size: 300 }
export const message = {
  type: 'message',
  text: 'Hello, I have a question about the order that I placed last week.',
}
const tail = 25

export const openOffice = async (stand: Stand): Promise<Office> => {
  const license = officeLicense
  const agents = Array.from({ length: 18 }, (_, i) => `agent-${String(i).padStart(2, '0')}`)
  await stand.addLicense(license, agents, { max_chats: 1000 })
  const staff: Socket[] = []
  for (const agent of agents) staff.push(await stand.login(license, agent))
  const [ann, ben, ...others] = staff
  if (ann === undefined || ben === undefined) throw new Error('There are no agents')
  for (const socket of [ben, ...others])
    await socket.ask('update_agent', { routing_status: 'not_accepting_chats' })

  const visit = async (payload: object) => {
    const socket = await stand.arrive(license)
    const { token, customer_id }: { token: string; customer_id: string } = (
      await socket.ask('login', payload)
    ).payload
    return { socket, token, id: customer_id }
  }
  const start = async (socket: Socket): Promise<string> =>
    (await socket.ask('start_chat', { chat: { thread: { events: [message] } } })).payload.chat.id
  const { socket: carl, token, id: carls } = await visit({ customer: { name: 'Carl' } })
  const { socket: secondTab } = await visit({ token })
  const { socket: dora } = await visit({ customer: { name: 'Dora' } })
  const { socket: evan } = await visit({ customer: { name: 'Evan' } })
  const [chat_id, doras, evans] = [await start(carl), await start(dora), await start(evan)]
  for (let more = 1; more < tail; more += 1) await carl.ask('send_event', { chat_id, event: message })
  await dora.ask('close_thread', { chat_id: doras })
  const owner = await stand.login(archive.license, 'owner')
  return {
    ...{ agents, ann, ben, carl, dora, evan, owner, chat_id, carls, doras, evans },
    sockets: [...staff, carl, secondTab, dora, evan, owner],
  }
}
