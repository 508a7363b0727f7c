import type { Audience, Pushing } from '../delivery/outbox.ts'
import { isBusEvent } from '../protocol/pushes-on-bus.ts'
import type { PushName, PushPayload } from '../protocol/pushes.ts'
import type { AgentSocketItem } from '../table/sockets.ts'

/** A push as an agent with all rights gets it. */
export type BusPush = { [Name in PushName]: { name: Name; payload: PushPayload<Name> } }[PushName]

export interface BusOutbox extends Pushing {
  /** What was pushed, in order. */
  readonly pushed: readonly BusPush[]
}

/** The connection of an agent who may see every chat of a license, is in none and follows none. */
const allSeeing = (license: string): AgentSocketItem => ({
  license_id: license,
  agent_id: '',
  connection: '',
  permission: 'owner',
  groups: [],
  token_expires_at: Number.MAX_SAFE_INTEGER,
  license_expires_at: Number.MAX_SAFE_INTEGER,
  ttl: Number.MAX_SAFE_INTEGER,
})

/** Takes the pushes that a license's events are: of those that an agent with all rights is told. */
export const openBusOutbox = (license: string): BusOutbox => {
  const pushed: BusPush[] = []
  const hears = (to: Audience, name: PushName) =>
    to.license === license && to.agents?.includes(allSeeing(license), name) === true
  return {
    pushed,
    push: (to, ...[name, payload]) => {
      // oxlint-disable-next-line typescript/consistent-type-assertions, typescript/no-unsafe-type-assertion
      if (isBusEvent[name] && hears(to, name)) pushed.push({ name, payload } as BusPush)
    },
    prefetchAudience: () => {},
    awaitAudience: async () => {},
    hasConnected: async () => true,
  }
}
