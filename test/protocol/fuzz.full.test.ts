import { describeFuzz } from './fuzzing.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describeFuzz({
  seed,
  again: `FUZZ_SEED=${seed} npx vitest run test/protocol/fuzz.full.test.ts`,
  frames: { agent: 1500, customer: 900 },
})
