import { expect } from 'vitest'
import type { World } from '../support/world.ts'
import { type Scenarios, scenarios, type Stage } from './scenarios.ts'

/** Runs a scenario where a client is to be proved. */
export type Play = <Name extends keyof Scenarios>(
  stage: Stage,
  name: Name,
  ...given: Parameters<Scenarios[Name]> extends [Stage, ...infer Rest] ? Rest : []
) => Promise<Awaited<ReturnType<Scenarios[Name]>>>

/** Runs it in this process. */
export const playHere: Play = (stage, name, ...given) =>
  (scenarios[name] as (...all: unknown[]) => Promise<any>)(stage, ...given)

/** The server of a world, as scenarios have it: with a license of ann and ben. */
export const openStage = async (world: World): Promise<Stage> => {
  const license = await world.license({ ann: {}, ben: {} })
  return {
    agentUrl: world.agentUrl,
    token: (agent, expiresInS) => license.token(agent, expiresInS === undefined ? {} : { expiresInS }),
    settled: () => world.settled(),
    reach: async () => {},
  }
}

/** What a client keeps to wherever it runs, by the names of tests. */
export const scenarioTests: Record<string, (stage: Stage, play: Play) => Promise<void>> = {
  'whose network swallows frames sends again what was not answered, once, and misses nothing': async (
    stage,
    play,
  ) => {
    const all = ['hello', 'missed', 'unheard', 'stored']
    expect(await play(stage, 'swallowFrames')).toEqual({
      recovered: { recovered: true },
      answers: ['unheard', 'stored'],
      secondSends: 1,
      stored: all,
      held: all,
      heard: all.slice(1),
    })
  },

  'replaces its token before it ends, loses nothing, and ends where there is no other': async (
    stage,
    play,
  ) => {
    const { heard, ...facts } = await play(stage, 'outliveToken')
    expect(heard.toSorted()).toEqual(['four', 'one', 'three', 'two'])
    expect(facts).toEqual({
      ...{ asked: 2, state: 'online', recoveries: 0 },
      // the app is told what each login answers
      profiles: ['ann'],
      ended: ['auth', 401],
      isRefusedAlike: true,
    })
  },

  'comes back to a server that was away, at once when the network says so': async (stage, play) => {
    expect(await play(stage, 'outliveOutage')).toEqual({ state: 'online', held: ['hello', 'later'] })
  },
}

/** Of a hundred thousand events a client keeps as many as it is told. */
export const testFlood = async (stage: Stage, play: Play): Promise<void> => {
  expect(await play(stage, 'takeFlood')).toEqual({
    heard: 100_200,
    chats: 50,
    threads: [
      JSON.stringify([
        [1, 1],
        [100, 1000],
      ]),
    ],
    // what somebody looks at stays
    isShown: true,
  })
}
