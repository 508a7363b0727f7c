import { type Command, Option } from 'commander'
import * as z from 'zod/mini'
import { UsageError } from '../../../shared/provisioning/admin-error.ts'

// The parameters of a command, as a schema whose keys are its arguments and options in their order. An option
// has its flags and its line of help beside its schema.

const parameters = new WeakMap<object, Option | 'argument'>()

const described = <S extends z.ZodMiniType>(schema: S, parameter: Option | 'argument'): S => {
  parameters.set(schema, parameter)
  return schema
}

const optionOf = (schema: object): Option | undefined => {
  const parameter = parameters.get(schema)
  return parameter === 'argument' ? undefined : parameter
}

export const argument = <S extends z.ZodMiniType>(schema: S): S => described(schema.clone(), 'argument')

export const option = <S extends z.ZodMiniType>(flags: string, help: string, schema: S) =>
  described(z.optional(schema), new Option(flags, help))

export const required = <S extends z.ZodMiniType>(flags: string, help: string, schema: S): S =>
  described(schema.clone(), new Option(flags, help).makeOptionMandatory())

/** An option that has a value where none is given. */
export const defaulted = <S extends z.ZodMiniType>(
  flags: string,
  help: string,
  schema: S,
  value: string,
): S => described(schema.clone(), new Option(flags, help).default(value))

export const flag = (flags: string, help: string) => option(flags, help, z.boolean())

/** A sentence about several parameters, said of one of them, where they do not go together. */
export const rule = <T>(name: string, holds: (input: T) => boolean, error: string) =>
  z.refine<T>(holds, { error, path: [name] })

/**
 * One of the options that change something is given, or of those that only go with them and have a rule of
 * their own; said of the argument that names what is changed.
 */
export const changesSomething = <T extends object>(
  argumentName: string,
  changes: T,
  companions: object = {},
) =>
  rule<{ [Name in keyof T]?: unknown }>(
    argumentName,
    (input) =>
      Object.entries(input).some(
        ([name, value]) => (name in changes || name in companions) && value !== undefined,
      ),
    `Say what to change: ${Object.values(changes)
      .map((of) => optionOf(of)?.long)
      .join(', ')}`,
  )

/** Lets a command take what the schema names. */
export function addParameters(command: Command, { shape }: z.ZodMiniObject): void {
  for (const [name, of] of Object.entries(shape)) {
    const parameter = parameters.get(of)
    if (parameter === 'argument') command.argument(`<${name}>`)
    else if (parameter) command.addOption(parameter)
  }
}

/** The parameters that a command was given, once all of them are right. */
export function inputOf<S extends z.ZodMiniObject>(command: Command, schema: S): z.output<S> {
  const given = command.optsWithGlobals<Record<string, unknown>>()
  const words = [...command.args]
  const values = Object.entries(schema.shape).map(([name, of]) => [
    name,
    parameters.get(of) === 'argument' ? words.shift() : given[optionOf(of)?.attributeName() ?? name],
  ])
  const result = schema.safeParse(Object.fromEntries(values))
  if (result.success) return result.data
  const { issues } = result.error
  const first = issues.filter(({ path }, at) => issues.findIndex((each) => each.path[0] === path[0]) === at)
  throw new UsageError(
    first.map(({ path, message }) => `${label(schema, String(path[0]))}: ${message}.`).join('\n'),
  )
}

/** The name of a value as a person writes it. */
const label = ({ shape }: z.ZodMiniObject, name: string): string => {
  const of = shape[name]
  if (of === undefined || parameters.get(of) === 'argument') return `<${name}>`
  return optionOf(of)?.long ?? `--${name}`
}
