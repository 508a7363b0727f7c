import { describeFuzz, usualSeed } from './fuzzing.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? usualSeed)

describeFuzz({
  seed,
  again: `FUZZ_SEED=${seed} npx vitest run test/protocol/fuzz.test.ts`,
  ...{ frames: { agent: 150, customer: 150 }, ofEach: 2, inFlight: 1 },
})
