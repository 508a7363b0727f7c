import { Command, CommanderError } from 'commander'
import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { AdminError, UsageError } from '../../shared/provisioning/admin-error.ts'
import { localDir } from '../local/local-dir.ts'
import { addNoun } from './cli/command.ts'
import { type Io, warn } from './cli/output.ts'
import { agent } from './commands/agent.ts'
import { customer } from './commands/customer.ts'
import { group } from './commands/group.ts'
import { license } from './commands/license.ts'
import { reindex } from './commands/reindex.ts'
import { token } from './commands/token.ts'

/** Runs one command. The exit code: 0 done, 1 could not be done, 2 the command is wrong. */
export async function runAdmin(argv: readonly string[], io: Io): Promise<0 | 1 | 2> {
  try {
    await adminProgram(io).parseAsync(argv, { from: 'user' })
    return 0
  } catch (error) {
    // commander has said what it has to say
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    const name = error instanceof AdminError || !(error instanceof Error) ? '' : `${error.name}: `
    warn(io, `error: ${name}${error instanceof Error ? error.message : String(error)}`)
    return error instanceof UsageError ? 2 : 1
  }
}

function adminProgram(io: Io): Command {
  const program = new Command('npm run admin --')
    .description(
      'Licenses, groups, agents, customers and the index of chats: on the local table, or with --table on a deployed one.',
    )
    .option('--table <name>', 'a deployed table, with the AWS credentials of the environment')
    .option('--region <region>', 'the AWS region of --table; by default that of the environment')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .showHelpAfterError('(--help shows what there is)')
    .exitOverride()
    .addHelpText(
      'after',
      `
It only writes: whoever is logged in feels a change within a second. The local table is that of npm start, in .local or
where AGENT_CHAT_LOCAL_DIR says, or in the engine at DYNAMODB_ENDPOINT.

Examples:
  npm run admin -- license create --id acme
  npm run admin -- group create acme --name Sales
  npm run admin -- agent create acme --id ana --name Ana --group 1
  npm run -s admin -- token ana
  npm run admin -- customer list acme --banned
  npm run admin -- reindex acme
  npm run admin -- agent list acme --table agent-chat --region eu-west-1`,
    )
  for (const [name, noun] of Object.entries({ license, group, agent, customer }))
    addNoun(program, name, noun, io)
  reindex(program, 'reindex', io)
  token(program, 'token', io)
  return program
}

const signals = ['SIGINT', 'SIGTERM'] as const

if (process.argv[1] === import.meta.filename) {
  const { stdin, stdout, stderr } = process
  process.exitCode = await runAdmin(process.argv.slice(2), {
    out: (text) => void stdout.write(text),
    drained: async () => {
      if (stdout.writableNeedDrain) await once(stdout, 'drain')
    },
    err: (text) => void stderr.write(text),
    env: process.env,
    localDir,
    now: () => Date.now(),
    ...(stderr.isTTY ? { width: () => stderr.columns || 80 } : {}),
    ...(stdin.isTTY && stderr.isTTY
      ? {
          ask: async (question: string) => {
            const terminal = createInterface({ input: stdin, output: stderr })
            try {
              return await terminal.question(question)
            } finally {
              terminal.close()
            }
          },
        }
      : {}),
    onInterrupt: (stop) => {
      for (const signal of signals) process.once(signal, stop)
      return () => {
        for (const signal of signals) process.off(signal, stop)
      }
    },
  })
}
