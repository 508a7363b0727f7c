import type { CustomerChatUser, CustomerEvent } from '../protocol/customer-objects.ts'
import type { CustomerEndpoint } from './contracts.ts'
import { type Client, type CommonOptions, createClient } from './facade.ts'

/** Where a customer's token is kept: the browser's `localStorage` has these. */
export interface TokenStorage {
  getItem: (key: string) => string | null
  setItem: (key: string, value: string) => void
  removeItem: (key: string) => void
}

type LoginRequest = CustomerEndpoint['actions']['login']['request']

export interface CustomerOptions extends CommonOptions {
  /** The customers' endpoint. */
  url: string
  licenseId: string
  /** Where the token is kept, by which a customer is known again; `localStorage` where there is one. */
  storage?: TokenStorage
  /** Details of the customer, and the page that it is on. */
  customer?: LoginRequest['customer']
}

export type CustomerClient = Client<CustomerEndpoint, CustomerChatUser, CustomerEvent>

/** Connects a customer's page: it is the same customer as before, comes back, and knows what it missed. */
export const createCustomerClient = ({
  url,
  licenseId,
  storage = defaultStorage(),
  customer,
  ...options
}: CustomerOptions): CustomerClient => {
  const key = `agent-chat:${licenseId}`
  const address = `${url}${url.includes('?') ? '&' : '?'}license_id=${encodeURIComponent(licenseId)}`
  const make = createClient<CustomerEndpoint, CustomerChatUser, CustomerEvent>
  return make('customer', address, options, ({ core, chats, reader, recovered }) => {
    let own = new Set<string>()
    let isBehind = false
    const read = async (): Promise<void> => {
      const found = await Promise.all([...own].map((id) => reader.read(id)))
      if (!isBehind || found.includes(false)) return
      isBehind = false
      recovered(true)
    }
    return {
      credentials: async (_, isRefused) => {
        // a token that is not taken any more is a stranger's: the customer is a new one
        if (isRefused) storage.removeItem(key)
        return { token: storage.getItem(key), ...(customer && { customer }) }
      },
      loggedIn: (answer, kind) => {
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
        const login = answer as CustomerEndpoint['actions']['login']['answer']
        storage.setItem(key, login.token)
        own = new Set(login.last_chats_summary.map(({ id }) => id))
        for (const { id } of chats.all()) if (!own.has(id)) chats.remove(id)
        if (kind === 'again') isBehind = true
        read().catch(() => {})
        return undefined
      },
      ping: async () => {
        reader.retry()
        if (isBehind) read().catch(() => {})
        await core.ping({})
      },
    }
  })
}

const defaultStorage = (): TokenStorage => {
  if (typeof localStorage !== 'undefined') return localStorage
  const held = new Map<string, string>()
  return {
    getItem: (name) => held.get(name) ?? null,
    setItem: (name, value) => void held.set(name, value),
    removeItem: (name) => void held.delete(name),
  }
}
