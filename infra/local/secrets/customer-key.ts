import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { openSecretFile } from './secret-file.ts'

const leastLength = 32

/** A key for customers' tokens, as the deployed secret holds one: random text. */
export const newCustomerKey = (): string => randomBytes(48).toString('base64url')

/**
 * The key of `<dir>/customer-key`, made at the first call: while it is kept, customers who come back are
 * known.
 */
export async function openCustomerKey(dir: string): Promise<string> {
  const file = join(dir, 'customer-key')
  const key = (await openSecretFile(file, () => `${newCustomerKey()}\n`)).trim()
  if (key.length >= leastLength) return key
  throw new Error(
    `${file} holds no key of ${leastLength} characters. Delete it, and a new one is made; customers’ tokens of the old one end.`,
  )
}
