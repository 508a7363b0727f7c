import { licensePk, part } from './keys.ts'

/**
 * How partition keys begin that are a license's alone, beside its own one: its lists, its customers, its
 * index.
 */
export const licensePrefixes = (license: string): readonly string[] => [
  `${licensePk(license)}#`,
  customersPrefix(license),
  `AUDIENCE#${part(license)}#`,
  `INDEX#${part(license)}#`,
  `STATUS#${part(license)}#`,
]

export const customersPrefix = (license: string): string => `CUSTOMER#${part(license)}#`

/** The number that a key of a portion of words ends with, or of a manifest. */
export const lastNumberOf = ({ sk }: { sk?: unknown }): number => Number(String(sk).split('#').at(-1))
