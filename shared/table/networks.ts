const groupsOfNetwork = 4
const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i

/**
 * The network of an IP address that one site has to itself: an IPv4 address as it is, of an IPv6 address its
 * `/64`, as in `2001:db8:0:1::/64`. What is no address is returned as it came.
 */
export const networkOf = (ip: string): string => {
  const [, v4] = mapped.exec(ip) ?? []
  if (v4 !== undefined) return v4
  // a zone, as in `fe80::1%eth0`, is the machine's own
  const [address = ''] = ip.split('%', 1)
  if (!address.includes(':')) return ip
  const [head = '', tail] = address.toLowerCase().split('::', 2)
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(8 - before.length - after.length, 0)).fill('0')
  const groups = [...before, ...zeros, ...after].slice(0, groupsOfNetwork)
  const numbers = groups.map((group) => Number.parseInt(group, 16))
  // a text that is no address after all
  if (numbers.some(Number.isNaN)) return ip
  return `${numbers.map((number) => number.toString(16)).join(':')}::/64`
}
