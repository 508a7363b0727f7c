import type { Query } from '../../shared/archive/search/query.ts'
import type { Call } from '../support/engine-proxy.ts'

/** How a search came to what it found, by the calls that it made. */
export const paths = [
  'looks into lists',
  'finds all by the looks alone',
  'asks lists about what is in a short one',
  'asks lists of a union',
  'asks lists that exclude',
  'asks who may see it',
  'reads one list on',
  'reads lists on side by side',
  'reads lists of a union on',
  'reads lists that exclude on',
  'reads who may see it on',
  'reads a list page by page',
  'does not look into a long union',
  'reads on where there is too much to ask',
  'finds once more what it does not hold',
] as const
export type Path = (typeof paths)[number]

interface Reading {
  list: string
  month: string
  limit: number
  from: string
}

const listIn = (pk: string): { list: string; month: string } | undefined => {
  const [index, , lists, list = '', month = ''] = pk.split('#')
  return index === 'INDEX' && lists === 'LIST' ? { list, month } : undefined
}
const readingsOf = (calls: readonly Call[]): Reading[] =>
  calls.flatMap(({ operation, request }) => {
    const { ':pk': pk, ':from': from } = (request['ExpressionAttributeValues'] ?? {}) as any
    const found = operation === 'Query' ? listIn(pk.S) : undefined
    return found === undefined ? [] : [{ ...found, limit: Number(request['Limit']), from: from?.S ?? '' }]
  })
const askedOf = (calls: readonly Call[]): { list: string; month: string }[] =>
  calls.flatMap(({ operation, request }) =>
    operation === 'BatchGetItem'
      ? Object.values(request['RequestItems'] as Record<string, { Keys: { pk: { S: string } }[] }>).flatMap(
          ({ Keys }) => Keys.flatMap(({ pk }) => listIn(pk.S) ?? []),
        )
      : [],
  )

/** What a search reads of a list to begin with. */
export const firstPage = 64
/** Which of them a search took. */
export const pathsOf = (
  { allOf: all, accessLists: seen = [], noneOf: none }: Query,
  calls: readonly Call[],
): Path[] => {
  const readings = readingsOf(calls)
  const asked = askedOf(calls)
  const looked = readings.filter(({ limit }) => limit === firstPage)
  const isLooked = (list: string) => looked.some((one) => one.list === list)
  const found: [Path, boolean][] = [['looks into lists', looked.length > 0]]
  const months = Map.groupBy(readings, ({ month }) => month)
  const askedIn = Map.groupBy(asked, ({ month }) => month)
  const conditions = seen.length > 0 ? [...all, seen] : all
  const unions = conditions.filter((lists) => lists.length > 1)
  for (const [month, read] of months) {
    const ask = (askedIn.get(month) ?? []).map(({ list }) => list)
    const on = [...new Set(read.filter(({ limit }) => limit !== firstPage).map(({ list }) => list))]
    const many = (lists: readonly string[], of: readonly string[]) =>
      lists.filter((list) => of.includes(list)).length > 1
    found.push(
      ['finds all by the looks alone', ask.length === 0 && on.length === 0 && conditions.length > 1],
      ['asks lists about what is in a short one', ask.length > 0],
      ['asks lists of a union', unions.some((lists) => many(lists, ask))],
      ['asks lists that exclude', none.some((list) => ask.includes(list))],
      ['asks who may see it', seen.some((list) => ask.includes(list))],
      ['reads one list on', on.length === 1],
      ['reads lists on side by side', on.length > 1],
      ['reads lists of a union on', unions.some((lists) => many(lists, on))],
      ['reads lists that exclude on', none.some((list) => on.includes(list))],
      ['reads who may see it on', seen.some((list) => on.includes(list))],
      [
        'finds once more what it does not hold',
        read.some((one, i) =>
          read.some((other, j) => i < j && one.list === other.list && one.from === other.from),
        ),
      ],
      [
        'reads a list page by page',
        on.some((list) => {
          const pages = read.filter((one) => one.list === list && one.limit !== firstPage)
          return new Set(pages.map(({ from }) => from)).size > 1
        }),
      ],
    )
  }
  const long = all.filter((lists) => lists.length > 8)
  found.push(
    ['does not look into a long union', long.some((lists) => !lists.some(isLooked))],
    // a short list is asked about, unless that were too many questions
    [
      'reads on where there is too much to ask',
      none.length > 60 && readings.some(({ list }) => none.includes(list)) && asked.length === 0,
    ],
  )
  return found.filter(([, is]) => is).map(([path]) => path)
}
