import * as fc from 'fast-check'
import * as z from 'zod/mini'
import { expect, test } from 'vitest'
import { agentActions } from '../../shared/protocol/agent/index.ts'
import { customerActions } from '../../shared/protocol/customer/index.ts'
import { detailsOf, readFrame } from '../../shared/protocol/envelope.ts'
import { anyFrame } from './any-frame.ts'

const count = 6000
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const ids = {
  chats: ['chat', 'other'],
  threads: ['chat_1', 'chat_2', 'other_1'],
  agents: ['ann', 'ben'],
  customers: ['carl', 'nobody'],
}

test.each([
  ['agents', agentActions],
  ['customers', customerActions],
])('any frame to the endpoint of %s is read without a throw, and some fit each action', (_, actions) => {
  const accepted = new Set<string>()
  const refused = new Set<string>()
  for (const text of fc.sample(anyFrame(ids, actions), { numRuns: count, seed })) {
    const route = actions.find(({ name }) => text.includes(`"action":"${name}"`))
    const { faults, payload } = readFrame(text, route?.name)
    if (route === undefined) expect(faults, text).not.toEqual([])
    if (route === undefined || faults.length > 0) continue
    const { success, error } = z.safeParse(route.request, payload)
    if (success) accepted.add(route.name)
    else {
      refused.add(route.name)
      expect(detailsOf(error.issues, 'payload'), `${text} with FUZZ_SEED=${seed}`).not.toEqual([])
    }
  }
  const names = actions.map(({ name }) => name)
  expect([...accepted].toSorted(), `FUZZ_SEED=${seed}`).toEqual(names.toSorted())
  // of what no schema takes, ping too is sent some: a payload that is no object
  expect([...refused].toSorted()).toEqual(names.toSorted())
})
