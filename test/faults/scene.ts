import type { Dice } from './dice.ts'
import type { LicenseRecord } from './history.ts'

/** What the apps of a license have heard of a chat; it may be out of date. */
export interface KnownChat {
  id: string
  thread: string | undefined
  /** Some of its events. */
  events: string[]
  members: Set<string>
  active: boolean
  customer?: string | undefined
}

/** What the people of a license know together, so that they mostly ask for what there is. */
export class Scene {
  readonly license: LicenseRecord
  readonly #dice: Dice
  readonly chats = new Map<string, KnownChat>()
  readonly customers = new Set<string>()
  #tags = 0
  #asked = 0

  constructor(license: LicenseRecord, dice: Dice) {
    this.license = license
    this.#dice = dice
  }

  /** Whether it is the turn of a fifth request. */
  isFifth(): boolean {
    this.#asked += 1
    return this.#asked % 5 === 0
  }

  /** A word that nobody else says. */
  tag(prefix = 'e'): string {
    this.#tags += 1
    return `${prefix}${this.#tags}${this.license.marker}`
  }

  #known(id: string): KnownChat {
    const known = this.chats.get(id) ?? {
      ...{ id, thread: undefined, events: [], members: new Set<string>(), active: true },
    }
    this.chats.set(id, known)
    return known
  }

  /** Takes in a chat as an answer or a push shows it. */
  show({ id, users, thread }: any): void {
    const known = this.#known(id)
    for (const user of users ?? []) {
      if (user.present) known.members.add(user.id)
      else known.members.delete(user.id)
      if (user.type === 'customer') known.customer = user.id
    }
    if (thread === undefined) return
    known.thread = thread.id
    known.active = thread.active
    for (const event of thread.events) this.said(id, thread.id, event.id)
  }

  said(chat: string, thread: string, event: string): void {
    const known = this.#known(chat)
    known.thread = thread
    known.events = [...known.events.slice(-9), event]
  }

  hear({ action, payload }: any): void {
    if (action === 'incoming_chat_thread') this.show(payload.chat)
    if (action === 'incoming_event') this.said(payload.chat_id, payload.thread_id, payload.event.id)
    if (action === 'thread_closed') this.#known(payload.chat_id).active = false
    if (action === 'chat_users_updated') {
      const { members } = this.#known(payload.chat_id)
      const { customers, agents, supervisors } = payload.updated_users
      for (const { added, removed_ids: removed } of [customers, agents, supervisors].filter(
        (one) => one !== undefined,
      )) {
        for (const { id } of added) members.add(id)
        for (const id of removed) members.delete(id)
      }
    }
  }

  get active(): KnownChat[] {
    return [...this.chats.values()].filter(({ active }) => active)
  }

  /** A chat that this user is in, but for some of the time. */
  own(user: string): KnownChat | undefined {
    if (this.#dice.chance(0.04)) return this.any()
    return this.#dice.one(this.active.filter(({ members }) => members.has(user)))
  }

  any(): KnownChat | undefined {
    const { active } = this
    return active.length === 0 || this.#dice.chance(0.15)
      ? this.#dice.one([...this.chats.values()])
      : this.#dice.one(active)
  }
}
