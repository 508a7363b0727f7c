import { posix } from 'node:path'
import { defineConfig } from 'oxlint'
import { rooms } from './infra/floors.ts'

interface Restricted {
  group: string[]
  message: string
}

type Restriction = { 'no-restricted-imports': ['error', { patterns: Restricted[] }] }
const restrict = (patterns: Restricted[]): Restriction => ({
  'no-restricted-imports': ['error', { patterns }],
})

/** What a room's files may not import: rooms above them, and those beside that are not named. */
const upward = ({ folder, floor, besides = [] }: (typeof rooms)[number]): Restricted[] => {
  const closed = rooms.filter(
    (other) =>
      other.folder !== folder &&
      (other.floor > floor || (other.floor === floor && !besides.includes(other.folder))),
  )
  if (closed.length === 0) return []
  const group = closed.map((other) => {
    const way = posix.relative(folder, other.folder)
    return `${way.startsWith('.') ? way : `./${way}`}/*.{ts,tsx}`
  })
  return [{ group, message: `${folder} may not import this: see docs/architecture.md.` }]
}

const actionTables: Restricted = {
  group: ['**/protocol/agent/index.ts', '**/protocol/customer/index.ts'],
  message: 'A Lambda that imports an action table carries every contract: import the one it serves.',
}
const aws: Restricted = {
  group: ['@aws-sdk/**', '@smithy/**', 'aws-cdk-lib', 'aws-cdk-lib/**', '@middy/**'],
  message: 'The rules know no AWS: table/, delivery/, jobs/ and platform/ do.',
}
const ofRules = ['shared/account', 'shared/routing', 'shared/archive', 'shared/chat', 'shared/access']
const zodOnly = 'shared/protocol imports zod only.'

export default defineConfig({
  plugins: ['typescript', 'unicorn', 'oxc', 'import', 'vitest'],
  categories: { correctness: 'error', suspicious: 'error' },
  ignorePatterns: ['dist', 'cdk.out', '.local'],
  rules: {
    'typescript/no-explicit-any': 'error',
    'typescript/no-floating-promises': 'error',
    'typescript/no-misused-promises': 'error',
    'typescript/switch-exhaustiveness-check': [
      'error',
      {
        considerDefaultExhaustiveForUnions: true,
      },
    ],
    'typescript/consistent-type-assertions': [
      'error',
      {
        assertionStyle: 'never',
      },
    ],
    'typescript/no-non-null-assertion': 'error',
    'typescript/consistent-type-imports': 'error',
    'typescript/unbound-method': 'off',
    'import/no-default-export': 'error',
    'import/no-cycle': 'error',
    'import/no-unassigned-import': 'off',
    'no-console': 'error',
    'no-shadow': 'off',
    'no-await-in-loop': 'off',
    'unicorn/consistent-function-scoping': 'off',
    'vitest/no-disabled-tests': 'error',
    'vitest/no-focused-tests': 'error',
    'vitest/expect-expect': 'off',
    'vitest/require-mock-type-parameters': 'off',
    'typescript/consistent-return': 'off',
    'no-underscore-dangle': 'off',
    'no-new': 'off',
    'no-unmodified-loop-condition': 'off',
    'import/no-named-as-default': 'off',
    'typescript/no-unsafe-enum-comparison': 'off',
    'no-unused-vars': [
      'error',
      {
        argsIgnorePattern: '^_',
        varsIgnorePattern: '^_',
        destructuredArrayIgnorePattern: '^_',
      },
    ],
  },
  overrides: [
    {
      files: ['shared/**', 'functions/**', 'infra/**'],
      rules: {
        'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
        'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      },
    },
    {
      files: ['shared/**', 'functions/**'],
      rules: { 'typescript/method-signature-style': ['error', 'property'] },
    },
    { files: ['shared/protocol/json.ts'], rules: { 'typescript/method-signature-style': 'off' } },
    ...rooms.map((room) => ({
      files: [`${room.folder}/*.{ts,tsx}`],
      rules: restrict([
        ...upward(room),
        ...(room.folder.startsWith('infra') ? [] : [actionTables]),
        ...(ofRules.some((folder) => room.folder.startsWith(folder)) ? [aws] : []),
      ]),
    })),
    {
      files: ['shared/protocol/*.ts'],
      rules: restrict([{ group: ['*', '!zod', '!zod/**', '!./**'], message: zodOnly }]),
    },
    {
      files: ['shared/protocol/*/*.ts'],
      rules: restrict([
        { group: ['*', '!zod', '!zod/**', '!./**', '!../**'], message: zodOnly },
        { group: ['../../**'], message: zodOnly },
      ]),
    },
    {
      files: ['test/**', 'vitest.config.ts', 'oxlint.config.ts'],
      rules: {
        'typescript/no-explicit-any': 'off',
        'typescript/consistent-type-assertions': 'off',
        'typescript/no-non-null-assertion': 'off',
        'import/no-default-export': 'off',
        'typescript/no-unsafe-type-assertion': 'off',
        'typescript/no-misused-promises': 'off',
        'typescript/require-array-sort-compare': 'off',
        'vitest/require-to-throw-message': 'off',
        'typescript/consistent-return': 'off',
        'unicorn/no-array-sort': 'off',
        'vitest/valid-expect': 'off',
        'vitest/no-conditional-expect': 'off',
        'vitest/no-standalone-expect': [
          'error',
          {
            additionalTestBlockFunctions: ['testAtSteps', 'testFirst', 'testInBrowser'],
          },
        ],
        'unicorn/no-useless-spread': 'off',
        'typescript/no-base-to-string': 'off',
        'typescript/no-unnecessary-type-assertion': 'off',
        'unicorn/no-invalid-fetch-options': 'off',
      },
    },
  ],
})
