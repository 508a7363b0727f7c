import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/support/longest-first.ts'

const long = 'test/**/*.full.test.ts'
/**
 * These import parts of the functions that read their settings once, or read what a process prints: each has
 * one to itself.
 */
const ownProcess = [
  'test/customer/{connect,tokens}.test.ts',
  'test/infra/{logs,metrics}.test.ts',
  'test/push/{after-the-answer,deliver,mobile,signed}.test.ts',
]
const longOwnProcess = ['test/floods/audience.full.test.ts']
const longMs = 120_000

export default defineConfig({
  test: {
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/each-file.ts'],
    pool: 'forks',
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    tags: [{ name: 'full', description: 'Takes long: left out of npm test', timeout: longMs }],
    // waits in tests end with what they wait for; these only end what hangs
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      {
        extends: true,
        // a worker runs many files, and imports once what they share
        test: {
          name: 'shared',
          include: ['test/**/*.test.ts'],
          exclude: [long, ...ownProcess],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: [long],
          exclude: longOwnProcess,
          isolate: false,
          testTimeout: longMs,
          hookTimeout: longMs,
        },
      },
      { extends: true, test: { name: 'alone', include: ownProcess, testTimeout: longMs } },
      {
        extends: true,
        // by its name before the long files: else it runs at the end, beside nothing
        test: { name: 'alone-long', include: longOwnProcess, testTimeout: longMs, hookTimeout: longMs },
      },
    ],
  },
})
