import { writeFile } from 'node:fs/promises'
import { format, resolveConfig } from 'prettier'

/** Writes a page of Markdown as the formatter wants it. */
export const writePage = async (file: string, text: string): Promise<void> =>
  writeFile(file, await format(text, { ...(await resolveConfig(file)), parser: 'markdown' }))
