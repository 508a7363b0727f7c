import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { worstFrames } from '../bench/worst-frames.ts'

test('each action has a worst frame', () => {
  const named = new Set(worstFrames.map(({ name }) => name.split(',')[0]))
  for (const { name } of customerActions) expect(named).toContain(`customer/${name}`)
  for (const { name } of agentActions) expect(named).toContain(`agent/${name}`)
})

test('docs/worst-frame.md says the bounds that are held (npm run worst-frames writes it)', async () => {
  const page = await readFile(join(import.meta.dirname, '../../docs/worst-frame.md'), 'utf8')
  const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()))
  for (const { name, most } of worstFrames) {
    const [, , ...cells] = rows.find((row) => row[1] === name) ?? []
    expect(
      cells.slice(0, 6).map((cell) => Number(cell.split('/')[1])),
      name,
    ).toEqual(Object.values(most))
  }
})
