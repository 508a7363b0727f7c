import { keys } from './keys.ts'
import type { Writer } from './ops.ts'

// counts of a minute are of no use after it
const keptForS = 300

/**
 * `ADDRESS#<ip>` / `MINUTE#<n>`: counts something that came from an address; resolves to how often it has in this minute,
 * this time included.
 */
export const countAddress = async (
  write: Writer<'address'>,
  ip: string,
  what: string,
  nowMs: number,
): Promise<number> => {
  const outcome = await write.write(
    {
      Update: {
        Key: keys.address(ip, Math.floor(nowMs / 60_000)),
        UpdateExpression: 'SET #ttl = :ttl ADD #what :one',
        ExpressionAttributeNames: { '#ttl': 'ttl', '#what': what },
        ExpressionAttributeValues: { ':ttl': Math.floor(nowMs / 1000) + keptForS, ':one': 1 },
      },
    },
    { returns: 'new' },
  )
  return outcome.done ? Number(outcome.attributes?.[what] ?? 0) : 0
}
