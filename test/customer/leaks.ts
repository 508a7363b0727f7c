/** What must not reach a customer. */
export interface Secrets {
  /** Whole texts: ids that begin with others that it may see. */
  ids: Iterable<string>
  /** Parts of any text: names, addresses, what was said behind its back. */
  words: Iterable<string>
}

/** Keys of what only agents are shown, wherever they stand. */
const agentsKeys: ReadonlySet<string> = new Set([
  ...['routing_status', 'supervisors', 'monitoring', 'banned', 'online', 'permission', 'group_ids'],
  ...['sneak_peek', 'tags', 'tag'],
])
const scopesKeys: ReadonlySet<string> = new Set(['scopes', 'scopes_added', 'scopes_removed'])

/** What of a frame, or of a part of one, must not reach the customer: where it is, and why. */
export const leaksIn = (frame: unknown, { ids, words }: Secrets): string[] => {
  const [exact, parts] = [new Set(ids), [...words]]
  const leaks: string[] = []
  const look = (value: unknown, path: string, key: string): void => {
    if (typeof value === 'string') {
      if (exact.has(value)) leaks.push(`${path} is ${value}`)
      for (const part of parts) if (value.includes(part)) leaks.push(`${path} tells of ${part}`)
    }
    if (typeof value !== 'object' || value === null) return
    const has = (name: string, wanted?: unknown): boolean =>
      Object.hasOwn(value, name) && (wanted === undefined || Reflect.get(value, name) === wanted)
    if (has('recipients') && !has('recipients', 'all')) leaks.push(`${path} is for agents only`)
    if (has('type', 'supervisor')) leaks.push(`${path} supervises`)
    if (has('type', 'agent') && has('email')) leaks.push(`${path} has an agent’s email`)
    if (scopesKeys.has(key) && has('agents')) leaks.push(`${path} names agents`)
    for (const [name, inner] of Object.entries(value)) {
      const at = `${path}.${name}`
      // the groups of a chat are no secret, those of an agent are
      const isOfChat = name === 'group_ids' && key === 'transferred_to'
      if (agentsKeys.has(name) && inner !== undefined && !isOfChat) leaks.push(`${at} is of agents`)
      look(name, `the key ${at}`, '')
      look(inner, at, name)
    }
  }
  look(frame, 'frame', '')
  return leaks
}
