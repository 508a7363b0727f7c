import { InvalidArgumentError } from 'commander'

/**
 * The port that a command line names; 0 is any free one.
 * @throws {InvalidArgumentError} where it names none
 */
export const parsePort = (text: string): number => {
  const port = Number(text)
  if (/^\d+$/.test(text) && port <= 65_535) return port
  throw new InvalidArgumentError('A port is a number from 0 (any free one) to 65535.')
}
