import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // most files wait for sockets and the engine rather than for a core
    maxWorkers: 3,
    // waits in tests end with what they wait for; these only end what hangs
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
})
