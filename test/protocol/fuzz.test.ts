import { describeFuzz } from './fuzzing.ts'

const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_127)

describeFuzz({
  seed,
  again: `FUZZ_SEED=${seed} npx vitest run test/protocol/fuzz.test.ts`,
  frames: { agent: 80, customer: 60 },
})
