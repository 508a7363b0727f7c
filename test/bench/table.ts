type Cell = string | number

/** A table in Markdown; columns of numbers are set to the right. */
export const table = (heads: readonly string[], rows: readonly (readonly Cell[])[]): string =>
  [
    `| ${heads.join(' | ')} |`,
    `| ${heads.map((_, column) => (/^\$?[\d.,]+$/.test(String(rows[0]?.[column])) ? '---:' : '---')).join(' | ')} |`,
    ...rows.map(
      (row) =>
        `| ${row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en', { maximumFractionDigits: 3 }) : cell)).join(' | ')} |`,
    ),
  ].join('\n')
