import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Flag, opt } from '../fields.ts'

export const ping = action({
  name: 'ping',
  summary:
    'Keeps the connection open; answered before login too. Once logged in, returns a cursor where asked for one.',
  request: z.object({ cursor: opt(Flag) }),
  response: z.optional(z.strictObject({ cursor: z.string() })),
  needs: [],
  pushes: [],
  session: 'optional',
  socketOnly: true,
  reads: [],
})
