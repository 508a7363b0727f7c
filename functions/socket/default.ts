import middy from '@middy/core'
import { measured } from '../../shared/platform/metrics.ts'
import { ProtocolError } from '../../shared/protocol/errors.ts'
import type { Result } from '../../shared/request/incoming.ts'
import { type FrameReceived, receiveFrame } from '../../shared/request/parse-frame.ts'
import { type Opened, receive } from '../../shared/request/receive.ts'

/** `$default`: whatever no action's route takes, JSON or not, is answered with what is wrong about it. */
export const handler = measured(
  'socket',
  'default',
  middy<FrameReceived & Opened, Result>()
    .use(receive((message: FrameReceived) => receiveFrame(undefined, message)))
    .handler(() => Promise.reject(new ProtocolError('validation'))),
)
