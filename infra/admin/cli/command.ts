import type { Command } from 'commander'
import * as z from 'zod/mini'
import { AdminError, UsageError } from '../../../shared/provisioning/admin-error.ts'
import type { Io } from './output.ts'
import { openTarget, type Target } from './target.ts'

const Place = z.object({ table: z.optional(z.string()), region: z.optional(z.string()) })

/** Runs a command with what its arguments and options come to, once all of them are right. */
export function action<S extends z.ZodMiniType>(
  command: Command,
  io: Io,
  schema: S,
  run: (input: z.output<S>, target: Target) => Promise<void>,
): void {
  command.action(async () => {
    const input = inputOf(command, schema)
    const target = await openTarget(io, inputOf(command, Place))
    try {
      await run(input, target)
    } catch (error) {
      const explanation = error instanceof Error ? target.explain(error) : undefined
      throw explanation === undefined ? error : new AdminError(explanation)
    } finally {
      target.close()
    }
  })
}

function inputOf<S extends z.ZodMiniType>(command: Command, schema: S): z.output<S> {
  const names = command.registeredArguments.map((argument) => argument.name())
  const values = Object.fromEntries(names.map((name, at) => [name, command.args[at]]))
  const result = schema.safeParse({ ...command.optsWithGlobals(), ...values })
  if (result.success) return result.data
  const { issues } = result.error
  const first = issues.filter(({ path }, at) => issues.findIndex((each) => each.path[0] === path[0]) === at)
  throw new UsageError(first.map(({ path, message }) => `${label(command, path[0])}: ${message}.`).join('\n'))
}

/** The name of a value as a person writes it. */
function label(command: Command, name: PropertyKey | undefined): string {
  const options = [command, command.parent, command.parent?.parent].flatMap((each) => each?.options ?? [])
  const option = options.find((each) => each.attributeName() === name)
  return option?.long ?? `<${String(name)}>`
}
