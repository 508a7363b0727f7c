import { expect } from 'vitest'
import type { Op } from '../../shared/table/ops.ts'

const json = (value: unknown): string =>
  JSON.stringify(value, (_, one: unknown) => (one instanceof Set ? [...one] : one))

/** A write as people read it: what it `does`, and `when`, with names and values in place of placeholders. */
export const readable = (op: Op): Record<string, any> => {
  const [[kind, write] = expect.fail('no write')] = Object.entries(op as Record<string, Record<string, any>>)
  const { UpdateExpression, ConditionExpression, ...rest } = write
  const { ExpressionAttributeNames: names = {}, ExpressionAttributeValues: values = {}, ...what } = rest
  const read = (text: string): string =>
    text.replaceAll(/[#:]\w+/g, (sign) => names[sign] ?? json(values[sign]))
  return {
    [kind]: {
      ...what,
      ...(UpdateExpression === undefined ? {} : { does: read(UpdateExpression) }),
      ...(ConditionExpression === undefined ? {} : { when: read(ConditionExpression) }),
    },
  }
}
