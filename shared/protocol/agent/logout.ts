import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Device } from '../device-fields.ts'
import { opt } from '../fields.ts'

export const logout = action({
  name: 'logout',
  summary: 'Ends the session of this connection, which is closed a second later, and forgets a device.',
  request: z.object({ firebase_token: opt(Device.shape.firebase_token) }),
  response: null,
  needs: ['read'],
  alsoReads: ['device'],
  writes: ['account', 'device', 'socket', 'agentSockets', 'audience'],
  pushes: [],
  session: 'required',
  socketOnly: true,
  reads: [],
})
