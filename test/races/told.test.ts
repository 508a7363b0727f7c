import { afterEach, beforeAll, expect } from 'vitest'
import { testFirst } from '../support/sample.ts'
import { sharedWorld, type World } from '../support/world.ts'
import { calm } from './holding.ts'
import { expectTold, toldActions } from './told.ts'

let world: World
beforeAll(async () => {
  world = await sharedWorld()
})
afterEach(() => world.proxy.setFault(undefined))

const isWrite = (operation: string) => /^(Put|Update|Delete|TransactWrite)Item/.test(operation)

testFirst(
  '%s that cannot read any more behind its write is told of by a job',
  toldActions,
  async (_name, prepare) => {
    const told = await prepare(world)
    await calm(world)
    await told.zoe.received()
    let isWritten = false
    world.proxy.setFault(({ operation, request }) => {
      const isOwn = told.marks.some((mark) => JSON.stringify(request).includes(mark))
      if (!isOwn) return undefined
      if (isWritten && !isWrite(operation)) return { errorType: 'ValidationException', status: 400 }
      // counting a request is none of what it writes
      if (isWrite(operation) && !JSON.stringify(request).includes('COUNT#')) isWritten = true
      return undefined
    })
    await told.ask()
    world.proxy.setFault(undefined)
    await calm(world)
    expect(await expectTold(told, 'behind the write')).toBe(true)
  },
)
