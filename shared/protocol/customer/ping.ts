import * as z from 'zod/mini'
import { action } from '../action.ts'

export const ping = action({
  name: 'ping',
  summary: 'Keeps the connection open; answered before login too.',
  by: 'customer',
  request: z.object({}),
  response: null,
  needs: [],
  pushes: [],
  session: 'none',
  reads: [],
})
