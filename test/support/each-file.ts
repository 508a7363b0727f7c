import { afterAll } from 'vitest'
import { endWorlds } from './world.ts'

// Runs with every test file: a hook that a `beforeAll` registers is never called.
afterAll(endWorlds)
