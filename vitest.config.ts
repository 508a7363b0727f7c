import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/each-file.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // a worker imports what files share once
    isolate: false,
    // waits in tests end with what they wait for; these only end what hangs
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
