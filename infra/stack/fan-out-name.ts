import { createHash } from 'node:crypto'

/**
 * What `fan_out` is called: its name is given, since the nested stack's functions invoke it and it posts by
 * the nested stack's endpoint, so that neither could wait for the other's. A name has 64 characters: one that
 * is cut tells stacks apart by a hash.
 */
export const fanOutName = (stack: string): string => {
  const name = `${stack}-fan-out`
  if (name.length <= 64) return name
  const hash = createHash('sha256').update(stack).digest('hex').slice(0, 12)
  return `${stack.slice(0, 43)}-${hash}-fan-out`
}
