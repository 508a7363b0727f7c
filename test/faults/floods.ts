import { App, Recorder, type Reply } from './app.ts'
import type { FloodRecord } from './history.ts'
import type { Stand } from './stand.ts'

/** A flooding customer, as its connections know it. */
interface Stranger {
  token?: string
  chat?: string
}

/** A flood's request: the `n`th, by one of the workers that ask side by side. Resolves to what came of it. */
type Ask = (n: number, worker: number) => Promise<Reply>

/** Floods that cost the machine little: few of them are pushed to anybody. */
export const cheapFloods = [
  'messages over reconnects',
  'pings, unknown actions and broken frames',
  'failing logins of agents',
  'failing logins of customers',
  'connects of agents',
  'connects of customers',
] as const
/**
 * First those that only long loads meet, the one of the highest limit last of them: a load may be over before
 * it.
 */
export const allFloods = [
  'properties from ten tabs',
  'marks as seen, typing, sneak peeks and page changes',
  'threads closed and begun in turn',
  ...cheapFloods,
] as const
export type FloodKind = (typeof allFloods)[number]

const closed: Reply = { kind: 'unknown', error: 'closed' }
const tabs = 10
// a new connection each time: limits hold a customer, whatever its connections
const sentPerConnection = 5
/** So many requests of a flood are under way at a time: the machine is the load's as well. */
const sideBySide = 3
/** A flood that was refused so often has met its limit. */
const enoughRefusals = 5

const minuteNow = () => Math.floor(Date.now() / 60_000)

/**
 * Floods of each kind against a license whose people chat, each from an address of its own. What their
 * connections send and get is kept apart from what the checker looks at: nothing was promised to them.
 */
export const openFloods = ({ stack, licenses, rates }: Stand, kinds: readonly FloodKind[]) => {
  const license = licenses[0]?.id ?? ''
  const recorder = new Recorder()
  const records: FloodRecord[] = []
  const opened = new Set<App>()
  const customerUrl = `${stack.customerUrl}?license_id=${license}`
  const { sendEvent, other, addressFactor } = rates

  let address = 0
  /** Connections from one address, by their numbers; a closed one is opened again. */
  const connections = (as: 'agent' | 'customer') => {
    const from = `127.0.2.${(address += 1)}`
    const apps = new Map<number, App>()
    return async (number: number): Promise<App | Reply> => {
      const open = apps.get(number)
      if (open?.isOpen === true) return open
      const url = as === 'agent' ? stack.agentUrl : customerUrl
      const app = await App.open(recorder, url, { license, as, from })
      if (!app.isOpen)
        return app.record.refusedWith === 429 ? { kind: 'refused', error: 'too_many_requests' } : closed
      apps.set(number, app)
      opened.add(app)
      return app
    }
  }
  /** Connections of one customer, logged in and with a chat, from one address. */
  const strangers = () => {
    const stranger: Stranger = {}
    const connect = connections('customer')
    return async (number: number, ask: (app: App, chat_id: string) => Promise<Reply>): Promise<Reply> => {
      const app = await connect(number)
      if (!(app instanceof App)) return app
      if (app.record.isLoggedIn !== true) {
        const { token } = stranger
        const reply = await app.call('login', token === undefined ? {} : { token })
        if (reply.kind !== 'success') return reply
        stranger.token = reply.payload.token
      }
      if (stranger.chat === undefined) {
        const reply = await app.call('start_chat')
        if (reply.kind !== 'success') return reply
        stranger.chat = reply.payload.chat.id
      }
      return ask(app, stranger.chat ?? '')
    }
  }
  const spam = { type: 'message', text: 'spam' }

  const messages = (): Ask => {
    const on = strangers()
    return (n, worker) =>
      on(worker, async (app, chat_id) => {
        const reply = await app.call('send_event', { chat_id, event: spam })
        if (n % sentPerConnection === 0) app.cut()
        return reply
      })
  }
  const threads = (): Ask => {
    const on = strangers()
    return (n, worker) =>
      on(worker, (app, chat_id) =>
        n % 2 === 0
          ? app.call('close_thread', { chat_id })
          : app.call('send_event', { chat_id, event: spam }),
      )
  }
  const frames = (): Ask => {
    const on = strangers()
    return (n, worker) =>
      on(worker, (app) => {
        if (n % 3 === 0) return app.call('ping')
        return n % 3 === 1 ? app.call('no_such_action') : app.sendBroken('{"request_id":"r1","action":"pi')
      })
  }
  const repeats = (): Ask => {
    const on = strangers()
    return (n, worker) =>
      on(worker, (app, chat_id) => {
        const url = `https://example.com/${n}`
        if (n % 4 === 0) return app.call('mark_event_as_seen', { chat_id, event_id: `${chat_id}_1_1` })
        if (n % 4 === 1) return app.call('send_typing_indicator', { chat_id, is_typing: n % 8 === 1 })
        if (n % 4 === 2) return app.call('send_sneak_peek', { chat_id, sneak_peek_text: `spa${n}` })
        return app.call('update_customer', { customer: { monitoring: { page: { url } } } })
      })
  }
  const properties = (): Ask => {
    const on = strangers()
    return (n) =>
      on(n % tabs, (app, chat_id) => {
        const given = { spam: { [`tab${n % tabs}`]: String(n) } }
        return app.call('update_chat_properties', { chat_id, properties: given })
      })
  }
  const failedLogins = (as: 'agent' | 'customer') => (): Ask => {
    const connect = connections(as)
    return async (_, worker) => {
      const app = await connect(worker)
      return app instanceof App ? app.call('login', { token: 'x' }) : app
    }
  }
  const connects = (as: 'agent' | 'customer') => (): Ask => {
    const connect = connections(as)
    return async (_, worker) => {
      const app = await connect(worker)
      if (!(app instanceof App)) return app
      app.cut()
      return { kind: 'success', payload: undefined }
    }
  }

  const ofAddress = other * addressFactor
  const floodOf: Record<FloodKind, [most: number, open: () => Ask]> = {
    'messages over reconnects': [sendEvent, messages],
    'pings, unknown actions and broken frames': [other, frames],
    'failing logins of agents': [ofAddress, failedLogins('agent')],
    'failing logins of customers': [ofAddress, failedLogins('customer')],
    'connects of agents': [ofAddress, connects('agent')],
    'connects of customers': [ofAddress, connects('customer')],
    'threads closed and begun in turn': [sendEvent + other, threads],
    'marks as seen, typing, sneak peeks and page changes': [other, repeats],
    'properties from ten tabs': [other, properties],
  }
  const floods = kinds.map((name) => {
    const [most, open] = floodOf[name]
    const record: FloodRecord = { name, most, minutes: 0, answered: 0, refused: 0 }
    records.push(record)
    const ask = open()
    const minutes = new Set<number>()
    let n = 0
    const once = async (worker: number): Promise<Reply> => {
      n += 1
      minutes.add(minuteNow())
      const reply = await ask(n, worker)
      record.minutes = minutes.add(minuteNow()).size
      if (reply.kind === 'refused' && reply.error === 'too_many_requests') record.refused += 1
      else if (reply.kind !== 'unknown') record.answered += 1
      return reply
    }
    return async (isOver: () => boolean): Promise<void> => {
      const before = { ...record }
      const isDone = () =>
        isOver() ||
        record.refused - before.refused >= enoughRefusals ||
        record.answered > (record.minutes + 1) * most ||
        // the machine is too slow for so many in a minute
        record.minutes - before.minutes > 2
      // once one of its connections is there, the others are the same customer
      while (!isDone() && (await once(0)).kind === 'unknown');
      const workers = Array.from({ length: sideBySide }, async (_, worker) => {
        while (!isDone()) await once(worker)
      })
      await Promise.all(workers)
    }
  })

  let next = 0
  return {
    records,
    /** Every kind once, over its limit where the machine is fast enough for so many requests in a minute. */
    once: async (): Promise<void> => {
      for (const flood of floods) await flood(() => false)
    },
    /**
     * Kinds in turn, each over its limit, until `isOver`, but one at least: a slow machine has its load done
     * before a flood comes to its limit. The next call continues where this one ended.
     */
    until: async (isOver: () => boolean): Promise<void> => {
      await floods[next % floods.length]?.(() => false)
      next += 1
      while (!isOver()) {
        await floods[next % floods.length]?.(isOver)
        if (!isOver()) next += 1
      }
    },
    stop: async (): Promise<void> => {
      await Promise.all([...opened].map((app) => app.close()))
    },
  }
}
export type Floods = ReturnType<typeof openFloods>
