import { describe, expect, test } from 'vitest'
import { deviceHash, type DeviceItem, putDevice } from '../../shared/table/devices.ts'
import { readable } from '../support/readable-op.ts'

const device: DeviceItem = {
  hash: deviceHash('t-1'),
  token: 't-1',
  platform: 'ios',
  license_id: 'l',
  agent_id: 'ann',
  enabled: true,
  nonce: 'new',
}
const own = { pk: `DEVICE#${device.hash}`, sk: 'DEVICE' }
const row = { pk: 'LICENSE#l', sk: `DEVICE#ann#${device.hash}` }

describe('a device that is kept', () => {
  test('for the first time is put in both places, on condition that nobody has it', () => {
    expect(putDevice(undefined, device).map(readable)).toEqual([
      { Put: { Item: { ...own, ...device }, when: 'attribute_not_exists(pk)' } },
      { Put: { Item: { ...row, ...device } } },
    ])
  })

  test('by its agent again takes the place of what was read', () => {
    expect(putDevice({ ...device, enabled: false, nonce: 'old' }, device).map(readable)).toEqual([
      { Put: { Item: { ...own, ...device }, when: 'nonce = "old"' } },
      { Put: { Item: { ...row, ...device } } },
    ])
  })

  test.each([
    ['agent', { agent_id: 'ben' }, { pk: 'LICENSE#l', sk: `DEVICE#ben#${device.hash}` }],
    ['license', { license_id: 'm' }, { pk: 'LICENSE#m', sk: `DEVICE#ann#${device.hash}` }],
  ])('and was another %s’s takes that one’s row along', (_, other, left) => {
    const [first, ...rest] = putDevice({ ...device, ...other, nonce: 'old' }, device).map(readable)
    expect(first).toMatchObject({ Put: { when: 'nonce = "old"' } })
    expect(rest).toEqual([{ Put: { Item: { ...row, ...device } } }, { Delete: { Key: left } }])
  })
})
