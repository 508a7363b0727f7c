import { InvalidArgumentError } from 'commander'

/**
 * The URL that a command line names, to which something is posted.
 * @throws {InvalidArgumentError} where it names none
 */
export const parseUrl = (text: string): string => {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.href
  throw new InvalidArgumentError('A URL is like http://127.0.0.1:9000/events.')
}
