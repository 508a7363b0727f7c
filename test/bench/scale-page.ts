import { partitionLimits, type Scale } from './scale.ts'
import { table } from './table.ts'

// What docs/scale.md shows: what requests take as a license grows, and how many a second it can make.

const names = (figures: readonly Scale[]): string[] => Object.keys(figures[0]?.requests ?? {})

const heads = (figures: readonly Scale[]): string[] =>
  figures.map(({ connected }) => `${connected.toLocaleString('en')} agents`)

export const scaleText = (figures: readonly Scale[]): string => {
  const taken = table(
    ['request', ...heads(figures)],
    names(figures).map((name) => [
      name,
      ...figures.map(({ requests }) => `${requests[name]?.rru ?? ''} / ${requests[name]?.wru ?? ''}`),
    ]),
  )
  const most = table(
    ['request', ...heads(figures), 'list that gives out first'],
    names(figures).map((name) => [
      name,
      ...figures.map(({ requests }) => requests[name]?.hottest?.perSecond ?? ''),
      `\`${figures.at(-1)?.requests[name]?.hottest?.family ?? ''}\``,
    ]),
  )
  return [
    'Read and write units of a request, with what it sets off at once:',
    taken,
    `Requests a second of one license before a partition gives out, which bears ${partitionLimits.rru.toLocaleString('en')} read units and ${partitionLimits.wru.toLocaleString('en')} write units a second:`,
    most,
  ].join('\n\n')
}

const [width, height, left, bottom] = [640, 320, 56, 40]
const style = `<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 13px } .dim { fill: #59636e }
  .card { fill: #ffffff; stroke: #d1d9e0 } .grid { stroke: #d1d9e0 } .line { fill: none; stroke-width: 2 }
  .l0 { stroke: #0969da } .l1 { stroke: #1a7f37 } .l2 { stroke: #bf8700 } .l3 { stroke: #8250df }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .dim { fill: #9198a1 } .card { fill: #0d1117; stroke: #3d444d } .grid { stroke: #3d444d }
    .l0 { stroke: #4493f8 } .l1 { stroke: #3fb950 } .l2 { stroke: #d29922 } .l3 { stroke: #ab7df8 }
  }
</style>`
/** What is drawn: what people do all day. */
const drawn = ['send_event', 'customer: send_event', 'send_typing_indicator', 'mark_event_as_seen']

/** Read units per message over connected agents, whose numbers are ten times one another. */
export const scaleChart = (figures: readonly Scale[]): string => {
  const most = Math.max(
    10,
    ...drawn.flatMap((name) => figures.map(({ requests }) => requests[name]?.rru ?? 0)),
  )
  const x = (at: number) => left + (at * (width - left - 24)) / Math.max(1, figures.length - 1)
  const y = (rru: number) => height - bottom - (rru * (height - bottom - 60)) / most
  const grid = [0, most / 2, most].flatMap((rru) => [
    `<line x1="${left}" x2="${width - 24}" y1="${y(rru)}" y2="${y(rru)}" class="grid"/>`,
    `<text x="${left - 8}" y="${y(rru) + 4}" text-anchor="end" class="dim">${rru}</text>`,
  ])
  const lines = drawn.flatMap((name, n) => {
    const points = figures.map(({ requests }, at) => `${x(at)},${y(requests[name]?.rru ?? 0)}`)
    return [
      `<polyline points="${points.join(' ')}" class="line l${n}"/>`,
      `<line x1="${left + (n % 2) * 220}" x2="${left + 20 + (n % 2) * 220}" y1="${36 + Math.floor(n / 2) * 16}" y2="${36 + Math.floor(n / 2) * 16}" class="line l${n}"/>`,
      `<text x="${left + 26 + (n % 2) * 220}" y="${40 + Math.floor(n / 2) * 16}">${name}</text>`,
    ]
  })
  const ends = figures.map(
    ({ connected }, at) =>
      `<text x="${x(at)}" y="${height - bottom + 18}" text-anchor="${at === figures.length - 1 ? 'end' : 'middle'}" class="dim">${connected.toLocaleString('en')}</text>`,
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Read units of a request by how many agents of the license are connected">`,
    style,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6" class="card"/>`,
    `<text x="16" y="22" class="title">Read units of a request, by connected agents; two hear of it</text>`,
    ...[...grid, ...lines, ...ends],
    '</svg>\n',
  ].join('\n')
}
