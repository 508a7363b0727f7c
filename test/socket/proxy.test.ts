import { describe, expect, test } from 'vitest'
import { addressBehindProxy, secretHeader } from '../../shared/platform/client-address.ts'

const [current, previous] = ['current-secret', 'previous-secret']
const cloudFront = { addressHeader: 'CloudFront-Viewer-Address', secrets: [current, previous] }
const own = { addressHeader: 'X-Client', secrets: [current] }
const shown = (secret: string, header: string, address: string) => ({
  [secretHeader]: secret,
  [header]: address,
})

describe('the address of a client behind a proxy', () => {
  test.each([
    ['198.51.100.10:46532', '198.51.100.10'],
    ['2001:db8:85a3::8a2e:370:7334:46532', '2001:db8:85a3::8a2e:370:7334'],
    ['2001:db8:0:0:0:0:0:1:443', '2001:db8:0:0:0:0:0:1'],
  ])('of CloudFront is told with a port: %s', (told, address) => {
    expect(addressBehindProxy(shown(current, 'CloudFront-Viewer-Address', told), cloudFront)).toBe(address)
  })

  test.each(['198.51.100.10', '2001:db8::1'])('of others it is all of the header: %s', (address) => {
    expect(addressBehindProxy(shown(current, 'X-Client', address), own)).toBe(address)
  })

  test('is found whatever the letter case of headers', () => {
    const headers = { 'X-Proxy-Secret': current, 'x-client': '198.51.100.10' }
    expect(addressBehindProxy(headers, { ...own, addressHeader: 'x-CLIENT' })).toBe('198.51.100.10')
  })

  test('is taken with the secret before the current one, so that it can be replaced', () => {
    const headers = shown(previous, 'cloudfront-viewer-address', '198.51.100.10:1')
    expect(addressBehindProxy(headers, cloudFront)).toBe('198.51.100.10')
    expect(addressBehindProxy(headers, { ...cloudFront, secrets: [current] })).toBeUndefined()
  })

  test.each([
    ['a wrong one', 'wrong'],
    ['an empty one', ''],
    ['one that begins so', current.slice(0, -1)],
    ['one that goes on', `${current}!`],
    ['one in other letter case', current.toUpperCase()],
  ])('is not believed with %s for a secret', (_, secret) => {
    expect(addressBehindProxy(shown(secret, 'X-Client', '198.51.100.10'), own)).toBeUndefined()
  })

  test('is not believed without a secret, on either side', () => {
    expect(addressBehindProxy({ 'X-Client': '198.51.100.10' }, own)).toBeUndefined()
    for (const secrets of [[], ['']])
      for (const headers of [shown('', 'X-Client', '198.51.100.10'), { 'X-Client': '198.51.100.10' }])
        expect(addressBehindProxy(headers, { ...own, secrets })).toBeUndefined()
  })

  test.each([
    '',
    'unknown',
    '198.51.100',
    '198.51.100.10, 203.0.113.7',
    '198.51.100.10:443',
    '[2001:db8::1]',
  ])('is not made of what is none: %j', (told) => {
    expect(addressBehindProxy(shown(current, 'X-Client', told), own)).toBeUndefined()
  })

  test.each(['', ':443', '198.51.100.10', 'nowhere:443'])(
    'nor of what CloudFront does not tell: %j',
    (told) => {
      expect(
        addressBehindProxy(shown(current, 'CloudFront-Viewer-Address', told), cloudFront),
      ).toBeUndefined()
    },
  )

  test('is not made of nothing', () => {
    expect(addressBehindProxy({ [secretHeader]: current }, own)).toBeUndefined()
  })
})
