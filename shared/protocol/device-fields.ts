import * as z from 'zod/mini'
import { filled } from './fields.ts'
import { limits } from './limits.ts'

/** A mobile device as `login` and `change_push_notifications` name it. */
export const Device = z.object({
  firebase_token: filled(limits.firebaseTokenBytes),
  platform: z.enum(['ios', 'android']),
})
export type Device = z.output<typeof Device>
