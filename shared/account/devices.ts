import type { Device } from '../protocol/device-fields.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { requireAgentActive } from '../table/accounts.ts'
import type { Reads, Retries, Writes } from '../table/capabilities.ts'
import {
  type DeviceFamily,
  deviceHash,
  type DeviceItem,
  isDeviceOf,
  putDevice,
  readAgentDevices,
  readDevice,
  removeDevice,
} from '../table/devices.ts'
import type { Common } from '../table/families.ts'
import type { Op } from '../table/ops.ts'
import { commitAll, type ConditionalWrite, retryUntilCommitted } from '../table/optimistic-write.ts'
import type { Session } from '../table/sockets.ts'

type Owner = Pick<Session, 'license_id' | 'agent_id' | 'token_scopes'>

type Changing = Reads<Common | 'device'> & Writes<DeviceFamily> & Retries

/** The writes that make a device the owner's; none where all is so already. */
const changesOf = (found: DeviceItem | undefined, device: DeviceItem): Op<DeviceFamily>[] => {
  const same =
    found !== undefined &&
    isDeviceOf(device, found) &&
    found.platform === device.platform &&
    found.enabled === device.enabled &&
    found.token_scopes?.join(' ') === device.token_scopes?.join(' ')
  return same ? [] : putDevice(found, device)
}

const deviceOf = (
  { firebase_token: token, platform }: Device,
  { license_id, agent_id, token_scopes }: Owner,
  { enabled, nonce }: Pick<DeviceItem, 'enabled' | 'nonce'>,
): DeviceItem => ({
  hash: deviceHash(token),
  token,
  platform,
  license_id,
  agent_id,
  enabled,
  ...(token_scopes === undefined ? {} : { token_scopes }),
  nonce,
})

/**
 * What a login writes of its device: it is the agent's from then on. One that the agent has disabled stays
 * so, another agent's is enabled as it moves.
 */
export const devicePresented = (
  found: DeviceItem | undefined,
  device: Device,
  { owner, nonce }: { owner: Owner; nonce: string },
): Op<DeviceFamily>[] => {
  const enabled = found === undefined || !isDeviceOf(owner, found) || found.enabled
  return changesOf(found, deviceOf(device, owner, { enabled, nonce }))
}

/** Notifications are for people. */
export const noDevices = (path: string): ProtocolError =>
  new ProtocolError('validation', { details: [{ path, message: 'A bot has no mobile devices' }] })

/**
 * Turns notifications to a device on or off for `me`; on takes the device from another agent, of whatever
 * license. Throws `authorization` with the sentence `denied` for turning off another agent's, `auth` where
 * `me` no longer works here, `too_many_requests` where others keep changing the device.
 */
export const setNotifications = async (
  ctx: Changing & { me: Session },
  { enabled, ...device }: Device & { enabled: boolean },
  denied: string,
): Promise<void> => {
  const { me, nonce, read, write } = ctx
  if (me.bot && enabled) throw noDevices('payload.firebase_token')
  const wanted = deviceOf(device, me, { enabled, nonce })
  const refresh = () => readDevice(read, wanted.hash)
  await retryUntilCommitted<undefined, DeviceItem | undefined>({ ...ctx, refresh }, await refresh(), {
    // the device is as asked, by whichever request
    isOwn: (found) => changesOf(found, wanted).length === 0,
    attempt: async (found) => {
      if (found !== undefined && !isDeviceOf(me, found) && !enabled)
        throw new ProtocolError('authorization', { message: denied })
      const ops = changesOf(found, wanted)
      if (ops.length === 0) return { result: undefined, committed: true }
      const active: ConditionalWrite<'account'> = {
        op: requireAgentActive(me.license_id, me.agent_id),
        onConditionFailed: 'auth',
      }
      const all = [...ops.map((op) => ({ op })), active]
      return { result: undefined, committed: commitAll(write, all, nonce) }
    },
  })
}

/** A deleted agent's devices go with it: its sessions are over, so none comes after. May run twice. */
export const dropDevices = async (
  ctx: Pick<Changing, 'write' | 'pause'> & Reads,
  license: string,
  agent: string,
): Promise<void> => {
  for (const device of await readAgentDevices(ctx.read, license, agent)) await removeDevice(ctx, device)
}
