import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Device } from '../device-fields.ts'
import { Flag } from '../fields.ts'

export const changePushNotifications = action({
  name: 'change_push_notifications',
  summary: 'Turns mobile notifications to a device of the requester on or off.',
  request: z.object({ ...Device.shape, enabled: Flag }),
  response: null,
  needs: ['read'],
  alsoReads: ['device'],
  writes: ['account', 'device'],
  pushes: [],
  session: 'required',
  reads: [],
  denied: 'You are not allowed to change push notifications settings for this agent.',
})
