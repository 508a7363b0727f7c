import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    // waits in tests end with what they wait for; these only end what hangs
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
