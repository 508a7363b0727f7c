import type { Attributes } from '../../shared/table/ops.ts'
import { agentOf, Chats, hasAccess, isMember, wants } from './access.ts'
import { type Check, checking, framesOf, grouped } from './history.ts'
import { chatsOf, type StoredChat } from './stored-log.ts'

/** The rows of such a list of each license. */
const rowsUnder = (items: readonly Attributes[], list: string) =>
  items.flatMap((row) => {
    const [table, license = '', name] = String(row['pk']).split('#')
    return table === 'LICENSE' && name === list ? [{ license, sk: String(row['sk']), row }] : []
  })

/** The rows of sockets, each with whose it is. */
const socketRowsOf = (items: readonly Attributes[]) =>
  items
    .filter(({ pk }) => String(pk).endsWith('#SOCKETS'))
    .map(({ license_id: license, agent_id: agent, customer_id: customer }) => ({
      user: `${String(license)} ${String(agent ?? customer)}`,
      isCustomers: customer !== undefined,
    }))

const presentOf = (type: string, { users }: Pick<StoredChat, 'users'>): string[] =>
  users.filter((user) => user.type === type && user.present).map(({ id }) => id)

export const activeListIsRight: Check = checking(
  'the lists of chats are those of the chats',
  (history, on) => {
    for (const { items } of [history.quiet, history.over]) {
      const chats = [...chatsOf(items).values()]
      const brief = ({ users, scopes, thread }: any) =>
        JSON.stringify([
          users.map(({ id, type, present, met }: any) => [id, type, present, met]),
          [scopes.groups, scopes.agents],
          thread,
        ])
      const wanted = new Map(chats.filter(({ active }) => active).map((chat) => [chat.id, chat]))
      for (const { license, sk, row } of rowsUnder(items, 'ACTIVE')) {
        on.count()
        const chat = wanted.get(sk)
        // of a thread that was closed the clock takes it out
        if (row['closed_at'] !== undefined && chat === undefined && items === history.quiet.items) continue
        wanted.delete(sk)
        if (chat?.license_id !== license) on.say(`${sk} is listed as active at ${license} and is not`)
        else if (brief(chat) !== brief(row)) on.say(`${sk} is listed as ${brief(row)} and is ${brief(chat)}`)
      }
      for (const id of wanted.keys()) on.say(`${id} is active and not listed`)
      const listed = new Set(rowsUnder(items, 'CHATS').map(({ license, sk }) => `${license} ${sk}`))
      for (const { id, license_id } of chats)
        if (!listed.has(`${license_id} ${id}`)) on.say(`${id} is not listed`)
    }
  },
)

export const waitingListIsRight: Check = checking('a chat that waits is listed as waiting', (history, on) => {
  for (const { items } of [history.quiet, history.over]) {
    const listed = new Map(
      rowsUnder(items, 'WAITING').map(({ license, sk, row }) => [`${license} ${sk}`, row]),
    )
    for (const chat of chatsOf(items).values()) {
      on.count()
      const row = listed.get(`${chat.license_id} ${chat.id}`)
      const waits =
        chat.active &&
        presentOf('customer', chat).length > 0 &&
        (chat.waiting_since !== undefined || presentOf('agent', chat).length === 0)
      if (waits && row === undefined) on.say(`${chat.id} waits and is not listed`)
      else if (waits && row?.['waiting_since'] !== chat.waiting_since)
        on.say(`${chat.id} waits since ${chat.waiting_since}, not ${String(row?.['waiting_since'])}`)
    }
  }
})

export const loadsAreRight: Check = checking(
  'loads are the numbers of active chats with a customer',
  (history, on) => {
    for (const { items } of [history.quiet, history.over]) {
      const counted = new Map<string, number>()
      for (const chat of chatsOf(items).values())
        for (const agent of chat.active && presentOf('customer', chat).length > 0
          ? presentOf('agent', chat)
          : [])
          counted.set(`${chat.license_id} ${agent}`, (counted.get(`${chat.license_id} ${agent}`) ?? 0) + 1)
      for (const { license, sk, row } of rowsUnder(items, 'LOAD')) {
        on.count()
        const key = `${license} ${sk}`
        const load = Number(row['active'] ?? 0)
        if (load !== (counted.get(key) ?? 0))
          on.say(`the load of ${key} is ${load}, not ${counted.get(key) ?? 0}`)
        counted.delete(key)
      }
      for (const [key, count] of counted)
        if (count > 0) on.say(`${key} is in ${count} active chats and has no load`)
    }
  },
)

/** The people of a table's items with whether they count as online. */
const peopleOf = (items: readonly Attributes[]) =>
  items.flatMap(({ pk, sk, id, online, routing_status: status, default_status }) => {
    const [table, license = '', more] = String(pk).split('#')
    const isAgent = table === 'LICENSE' && more === undefined && String(sk).startsWith('AGENT#')
    const isCustomer = table === 'CUSTOMER' && sk === 'CUSTOMER'
    if (!isAgent && !isCustomer) return []
    return [
      { license, isAgent, id: String(id), online: online === true, status: String(status ?? default_status) },
    ]
  })

export const presenceIsRight: Check = checking(
  'who is online has a socket, and who has one is',
  (history, on) => {
    const { quiet, over } = history
    // where nobody pushed to a customer that left, and its `$disconnect` never came, only time can tell
    const unnoticed = new Set(
      socketRowsOf(quiet.items).flatMap(({ user, isCustomers }) => (isCustomers ? [user] : [])),
    )
    const look = (items: readonly Attributes[], isThere: (person: string) => boolean) => {
      for (const { license, id, online } of peopleOf(items)) {
        on.count()
        if (online !== isThere(`${license} ${id}`))
          on.say(`${id} counts as ${online ? 'online' : 'offline'} and is not`)
      }
    }
    look(quiet.items, (person) => quiet.living[person] !== undefined || unnoticed.has(person))
    look(over.items, () => false)
  },
)

export const statusIsTold: Check = checking('the status pushed last is the one in force', (history, on) => {
  const now = new Map(
    peopleOf(history.quiet.items)
      .filter(({ isAgent }) => isAgent)
      .map(({ license, id, online, status }) => [`${license} ${id}`, online ? status : 'offline']),
  )
  for (const { socket, agent, license, status } of history.watched) {
    on.count()
    const inForce = now.get(`${license} ${agent}`)
    if (status !== inForce) on.say(`socket ${socket} was told that ${agent} is ${status}, who is ${inForce}`)
  }
})

export const nothingLeftBehind: Check = checking('dead sockets leave nothing behind', (history, on) => {
  for (const { pk, sk } of history.over.items)
    if (/^(SOCKET|AUDIENCE)#|#SOCKETS$/.test(String(pk))) on.say(`${String(pk)} ${String(sk)} is left behind`)
  // where sockets live: one row for each of them, and no more
  const counts = grouped(socketRowsOf(history.quiet.items), ({ user }) => user)
  for (const [user, rows] of counts) {
    // of a customer that left for good there may be rows until their time runs out
    if (rows[0]?.isCustomers === true && history.quiet.living[user] === undefined) continue
    on.count()
    const living = history.quiet.living[user]?.length ?? 0
    if (rows.length !== living) on.say(`${user} has ${living} living sockets and ${rows.length} rows`)
  }
  for (const user of Object.keys(history.quiet.living))
    if (!counts.has(user)) on.say(`${user} has living sockets and no rows`)
  // the lists of audiences have rows of these alone
  const known = new Set(
    history.quiet.items.flatMap(({ pk, connection }) =>
      String(pk).endsWith('#SOCKETS') ? [connection] : [],
    ),
  )
  for (const { pk, sk, connection } of history.quiet.items)
    if (String(pk).startsWith('AUDIENCE#') && !known.has(connection))
      on.say(`${String(pk)} ${String(sk)} is of no connection`)
})

export const probesReachAll: Check = checking(
  'once all is quiet, an event reaches everyone with access, and nobody else',
  (history, on) => {
    const chats = new Chats(history)
    const { at } = history.quiet
    const pushed = grouped(
      framesOf(history).filter(({ frame }) => frame.type === 'push' && frame.action === 'incoming_event'),
      ({ frame }) => String(frame.payload.event.id),
    )
    for (const { chat, event, asked } of history.probes) {
      const got = new Set((pushed.get(event) ?? []).map(({ socket }) => socket))
      const states = chats.during(chat, at, at)
      for (const socket of asked) {
        on.count()
        const record = history.sockets[socket]
        if (record === undefined) continue
        const { user = '', license } = record
        const agent = agentOf(history, license, user)
        const may = states.some(
          (state) =>
            state.license_id === license &&
            (agent === undefined
              ? isMember(user, state)
              : hasAccess(agent, state) && wants(record, 'incoming_event', state)),
        )
        if (may !== got.has(socket)) on.say(`${user} on socket ${socket} ${may ? 'missed' : 'got'} ${event}`)
      }
    }
  },
)
