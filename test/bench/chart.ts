import type { Report } from './results.ts'

// Two panels in one SVG, with a background of its own, so that it can be read in light and dark.

const width = 880
const panel = 400
const rowHeight = 18
const left = 96

const style = `<style>
  text { font: 12px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600; font-size: 13px } .dim { fill: #59636e }
  .card { fill: #ffffff; stroke: #d1d9e0 } .ours { fill: #0969da } .floor { fill: #9aa4af }
  .c0 { fill: #0969da } .c1 { fill: #1a7f37 } .c2 { fill: #bf8700 } .c3 { fill: #cf222e } .c4 { fill: #8250df } .c5 { fill: #9aa4af }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .dim { fill: #9198a1 } .card { fill: #0d1117; stroke: #3d444d } .ours { fill: #4493f8 } .floor { fill: #656c76 }
    .c0 { fill: #4493f8 } .c1 { fill: #3fb950 } .c2 { fill: #d29922 } .c3 { fill: #f85149 } .c4 { fill: #ab7df8 } .c5 { fill: #656c76 }
  }
</style>`

const bar = (x: number, y: number, length: number, className: string) =>
  `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(1, length).toFixed(1)}" height="${rowHeight - 4}" class="${className}"/>`
const label = (x: number, y: number, text: string, more = '') =>
  `<text x="${x.toFixed(1)}" y="${y}"${more}>${text}</text>`

/** Bars of ours and of the floor for each number of sockets. */
const receipts = ({ send }: Report, x: number): string[] => {
  const longest = Math.max(...send.here.flatMap(({ lastReceipt }) => [lastReceipt.ours, lastReceipt.floor]))
  const scale = (panel - left - 110) / longest
  const parts = [
    label(x, 30, 'Request to last receipt, ms', ' class="title"'),
    `<rect x="${x}" y="42" width="10" height="10" class="ours"/>${label(x + 15, 51, 'ours')}`,
    `<rect x="${x + 60}" y="42" width="10" height="10" class="floor"/>${label(x + 75, 51, 'floor: one put, N posts')}`,
  ]
  send.here.forEach(({ sockets, lastReceipt }, i) => {
    const y = 66 + i * (2 * rowHeight + 10)
    const { ours, floor, ratio } = lastReceipt
    parts.push(
      label(x + left - 8, y + rowHeight + 1, `${sockets.toLocaleString('en')} sockets`, ' text-anchor="end"'),
      bar(x + left, y, ours * scale, 'ours'),
      label(x + left + ours * scale + 6, y + 11, `${ours}  (× ${ratio})`),
      bar(x + left, y + rowHeight, floor * scale, 'floor'),
      label(x + left + floor * scale + 6, y + rowHeight + 11, String(floor), ' class="dim"'),
    )
  })
  return parts
}

/** A stacked bar for each size of chats. */
const costs = ({ costs: all }: Report, x: number): string[] => {
  const scale = (panel - left - 50) / Math.max(...all.map(({ dollars }) => dollars))
  const parts = [label(x, 30, 'Dollars per million messages delivered', ' class="title"')]
  all.forEach(({ people, groups, dollars }, i) => {
    const y = 50 + i * (rowHeight + 12)
    parts.push(label(x + left - 8, y + 11, `chats of ${people}`, ' text-anchor="end"'))
    let at = x + left
    groups.forEach((group, n) => {
      if (group.dollars * scale < 0.5) return
      parts.push(bar(at, y, group.dollars * scale, `c${n}`))
      at += group.dollars * scale
    })
    parts.push(label(at + 6, y + 11, dollars.toFixed(2)))
  })
  const legendAt = 58 + all.length * (rowHeight + 12)
  all[0]?.groups.forEach(({ name }, n) => {
    if (all.every(({ groups }) => groups[n]!.dollars === 0)) return
    const y = legendAt + n * 20
    parts.push(
      `<rect x="${x + left}" y="${y}" width="10" height="10" class="c${n}"/>`,
      label(x + left + 16, y + 9, name),
    )
  })
  return parts
}

export const chartOf = (report: Report): string => {
  const height = Math.max(90 + report.send.here.length * (2 * rowHeight + 10), 320)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-label="Time to the last receipt by number of sockets, ours and the floor, and dollars per million messages delivered by size of chat">`,
    style,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="6" class="card"/>`,
    ...receipts(report, 24),
    ...costs(report, 24 + panel + 40),
    '</svg>\n',
  ].join('\n')
}
