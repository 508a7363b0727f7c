import type { Command } from 'commander'
import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { type Answer, type Io, print } from './output.ts'
import { addParameters, inputOf } from './parameters.ts'
import { openTarget, type Target } from './target.ts'

/** What a command works with: the table, and where it runs. */
export type Context = Target & { io: Io }

/** A command as data. */
interface Definition<S extends z.ZodMiniObject> {
  about: string
  /** Its arguments and options: see `parameters.ts`. */
  input: S
  /** What else its help says. */
  notes?: string
  /** Each as it follows `npm run admin --`. */
  examples: readonly string[]
  /** Other programs read its output: npm is to add nothing. */
  isPiped?: boolean
  /** Does it. Without an answer it has said itself what there was to say. */
  run(input: z.output<S>, context: Context): Promise<Answer | void>
}

/** Gives a program the command, under its name. */
export type Verb = (parent: Command, name: string, io: Io) => void

/** Commands about one kind of thing, by their names. */
export interface Noun {
  about: string
  verbs: Record<string, Verb>
}

export const addNoun = (program: Command, name: string, { about, verbs }: Noun, io: Io): void => {
  const noun = program.command(name).description(about)
  for (const [verbName, add] of Object.entries(verbs)) add(noun, verbName, io)
}

const Place = z.object({ table: z.optional(z.string()), region: z.optional(z.string()) })

export const verb =
  <S extends z.ZodMiniObject>(definition: Definition<S>): Verb =>
  (parent, name, io) => {
    const command = parent
      .command(name)
      .description(definition.about)
      .addHelpText('after', helpOf(definition))
    addParameters(command, definition.input)
    command.action(async () => {
      const input = inputOf(command, definition.input)
      const target = await openTarget(io, inputOf(command, Place))
      try {
        const answer = await definition.run(input, { ...target, io })
        if (answer) print(io, answer, command.opts()['json'] === true)
      } catch (error) {
        const explanation = error instanceof Error ? target.explain(error) : undefined
        throw explanation === undefined ? error : new AdminError(explanation)
      } finally {
        target.close()
      }
    })
  }

type Help = Pick<Definition<z.ZodMiniObject>, 'notes' | 'examples' | 'isPiped'>
const helpOf = ({ notes, examples, isPiped = false }: Help): string => {
  const npm = isPiped ? 'npm run -s admin --' : 'npm run admin --'
  const lines = examples.map((example) => `\n  ${npm} ${example}`).join('')
  return `${notes === undefined ? '' : `\n${notes}\n`}\nExample${examples.length > 1 ? 's' : ''}:${lines}`
}
