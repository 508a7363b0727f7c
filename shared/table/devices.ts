import { createHash, randomUUID } from 'node:crypto'
import * as z from 'zod/mini'
import { Device } from '../protocol/device-fields.ts'
import { InternalError } from '../protocol/errors.ts'
import { agentDevicesPrefix, type Key, keys, licensePk } from './keys.ts'
import type { Op, Reader, Writer } from './ops.ts'
import { absent, is, or, put, remove } from './update.ts'

/** Where a device stands: under its token, and under its agent. */
export type DeviceFamily = 'device' | 'account'

/**
 * `DEVICE#<hash>` / `DEVICE`, and the same again under its agent, `LICENSE#<l>` / `DEVICE#<a>#<hash>`. The
 * first is the lock of both: every change of either is conditional on its `nonce`.
 */
export const DeviceItem = z.object({
  /** The SHA-256 of the token, in hex: keys and sessions hold it in place of the token. */
  hash: z.string(),
  token: z.string(),
  platform: Device.shape.platform,
  license_id: z.string(),
  agent_id: z.string(),
  enabled: z.boolean(),
  /** Of the session that spoke for it last, as sessions have them; absent: unrestricted. */
  token_scopes: z.optional(z.array(z.string())),
  /** Which request wrote it so. */
  nonce: z.string(),
})
export type DeviceItem = z.output<typeof DeviceItem>

export const deviceHash = (token: string): string => createHash('sha256').update(token).digest('hex')

/** Whether a device is this agent's. */
export const isDeviceOf = (
  { license_id, agent_id }: Pick<DeviceItem, 'license_id' | 'agent_id'>,
  device: DeviceItem,
): boolean => device.license_id === license_id && device.agent_id === agent_id

const rowOf = ({
  license_id,
  agent_id,
  hash,
}: Pick<DeviceItem, 'license_id' | 'agent_id' | 'hash'>): Key<'account'> =>
  keys.agentDevice(license_id, agent_id, hash)

/** Keeps a device in place of what was read of it; the row of a former owner goes. */
export const putDevice = (found: DeviceItem | undefined, device: DeviceItem): Op<DeviceFamily>[] => {
  const moves =
    found !== undefined && (found.license_id !== device.license_id || found.agent_id !== device.agent_id)
  const unchanged = found === undefined ? absent() : is({ nonce: found.nonce })
  return [
    put(keys.device(device.hash), device, unchanged),
    put(rowOf(device), device),
    ...(moves ? [remove(rowOf(found))] : []),
  ]
}

/** Forgets a device, where it still is this agent's. */
export const forgetDevice = (device: DeviceItem): Op<DeviceFamily>[] => {
  const { hash, license_id, agent_id } = device
  return [remove(keys.device(hash), or(absent(), is({ license_id, agent_id }))), remove(rowOf(device))]
}

const removalTries = 10

/**
 * Forgets a device unless it has moved since it was read; whoever moved it has taken the row along. May run
 * twice.
 */
export const removeDevice = async (
  { write, pause }: { write: Writer<DeviceFamily>; pause: (tries: number) => Promise<void> },
  device: DeviceItem,
): Promise<void> => {
  for (let tries = 1; ; tries += 1) {
    const refusals = await write.transact(forgetDevice(device))
    if (refusals.length === 0 || refusals.some(({ reason }) => reason === 'condition')) return
    if (tries === removalTries) throw new InternalError('A device is being changed all the time')
    await pause(tries)
  }
}

export const readDevice = async (read: Reader<'device'>, hash: string): Promise<DeviceItem | undefined> => {
  const item = await read.get(keys.device(hash), { strong: true })
  return item === undefined ? undefined : DeviceItem.parse(item)
}

export const readAgentDevices = async (
  read: Reader,
  license: string,
  agent: string,
): Promise<DeviceItem[]> => {
  const range = { pk: licensePk(license), prefix: agentDevicesPrefix(agent), strong: true }
  return (await read.query(range)).map((row) => DeviceItem.parse(row))
}

/** `DEVICE#<hash>` / `NOTIFIED#<event>` */
const MarkItem = z.object({ nonce: z.string() })
const markTtlS = 24 * 3600
const markTries = 3

/**
 * Whether it is the caller's to notify a device of an event: of all that ask, one hears so. Its mark lasts a
 * day.
 */
export const mayNotify = async (
  { write, now }: { write: Writer<'device'>; now: () => number },
  hash: string,
  event: string,
): Promise<boolean> => {
  const ttl = Math.floor(now() / 1000) + markTtlS
  const nonce = randomUUID()
  const mark = put(keys.notified(hash, event), { nonce, ttl }, absent())
  for (let tries = 1; tries <= markTries; tries += 1) {
    const outcome = await write.write(mark)
    if (outcome.done) return true
    // the SDK's own repeat of a put whose answer was lost
    if (outcome.found !== undefined) return MarkItem.parse(outcome.found).nonce === nonce
  }
  return false
}
