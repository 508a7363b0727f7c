import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { anyFrame, readAny, rightRequest, wrongRequest } from './any-frame.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_127)
const again = `FUZZ_SEED=${seed} npx vitest run test/protocol/any-frame.test.ts`
const ids = {
  chats: ['chat', 'other'],
  threads: ['chat_1', 'chat_2', 'other_1'],
  agents: ['ann', 'ben'],
  customers: ['carl', 'nobody'],
}
const sides = [
  ['agents', agentActions],
  ['customers', customerActions],
] as const

test.each(sides)(`any frame to the endpoint of %s is read without a throw (${again})`, (_, actions) => {
  for (const text of fc.sample(anyFrame(ids, actions), { numRuns: 600, seed })) {
    const { action, faults } = readAny(text, actions)
    if (action === undefined) expect(faults, text).not.toEqual([])
  }
})

test.each(sides)(
  `of the endpoint of %s, each action is asked for rightly and wrongly (${again})`,
  (_, actions) => {
    for (const action of actions) {
      const options = { numRuns: 4, seed }
      for (const text of fc.sample(rightRequest(ids, action), options))
        expect(readAny(text, actions), text).toEqual({ action, faults: [] })
      for (const text of fc.sample(wrongRequest(ids, action), options)) {
        const { action: of, faults } = readAny(text, actions)
        expect(of, text).toBe(action)
        for (const { path, message } of faults) {
          expect(path, text).toMatch(/^payload/)
          expect(message, text).not.toBe('')
        }
      }
    }
  },
)
