import type { Command } from 'commander'
import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { findLicense } from '../../../shared/provisioning/change-license.ts'
import { readReindexing, type Reindexing } from '../../../shared/table/archive/reindexing.ts'
import { LicenseId } from '../cli/account-fields.ts'
import { action } from '../cli/command.ts'
import { noLicense } from '../cli/not-found.ts'
import { type Io, isoTime, json, print, warn } from '../cli/output.ts'
import type { Target } from '../cli/target.ts'
import { openAccess, type Run } from '../data/reindex-chat.ts'
import { eachChatId, type Reindexed, reindexLicense } from '../data/reindex-license.ts'
import { counted, duration, openProgress } from '../data/reindex-progress.ts'

const Input = z.object({
  license: LicenseId,
  restart: z.optional(z.boolean()),
  json: z.optional(z.boolean()),
})

export function addReindexCommand(program: Command, io: Io): void {
  action(
    program
      .command('reindex')
      .description(
        "Rebuilds the index by which a license's chats and archives are searched, while all goes on.",
      )
      .argument('<license>')
      .option('--restart', 'begins anew where an earlier run did not come to its end')
      .option('--json', 'print what came of it as JSON')
      .addHelpText(
        'after',
        `
It is for chats that are older than the index, or than license set --index-texts, and for an index that something has
gone wrong with. A run that was stopped goes on where it was when the command is given again. How far it is goes to
standard error.

Examples:
  npm run admin -- reindex acme
  npm run admin -- reindex acme --restart
  npm run admin -- reindex acme --table agent-chat --region eu-west-1`,
      ),
    io,
    Input,
    async (input, target) => {
      const license = await findLicense(target.table, input.license)
      if (license === undefined) throw noLicense(input.license)
      const stopping = new AbortController()
      const forget = io.onInterrupt?.(() => stopping.abort())
      try {
        await reindex(io, target, license, input, stopping.signal)
      } finally {
        forget?.()
      }
    },
  )
}

const reindex = async (
  io: Io,
  target: Target,
  { id, index_texts: texts }: { id: string; index_texts: boolean },
  { restart, json: asJson }: z.output<typeof Input>,
  stopped: AbortSignal,
): Promise<void> => {
  const earlier = restart === true ? undefined : await readReindexing(target.table.read, id)
  const start = startOf(io, id, earlier, texts)
  const resumed = start === earlier
  const before = start.chats - start.failed.length
  const { pause } = io
  const access = openAccess(target.within, io.now, pause && { pause })
  let total = 0
  for await (const _ of eachChatId(access, id)) total += 1
  if (resumed)
    warn(
      io,
      `Going on with the run of ${iso(start)}: ${before} of ${total} chats are done. --restart begins anew.`,
    )

  const progress = openProgress(io, { before, total })
  stopped.addEventListener('abort', () => {
    progress.clear()
    warn(io, 'Stopping, once what is under way is done.')
  })
  const run: Run = { ...access, stopped, onThreads: progress.onThreads }
  const reindexed = await reindexLicense(run, id, start, progress.onChat)
  progress.clear()

  const { end, done } = reindexed
  const failures = [...reindexed.failures].map(([chat, error]) => ({
    id: chat,
    error: reason(target, error),
  }))
  const seconds = progress.elapsedMs() / 1000
  const isDone = end === 'done' && failures.length === 0
  if (asJson) {
    const chats = { total, done, failed: failures }
    const began_at = Math.floor(start.began_at / 1000)
    json(io, { license_id: id, end, chats, threads: progress.threads(), began_at, resumed, seconds })
  } else if (isDone) {
    const now = resumed ? `, ${done - before} of them now` : ''
    const of = `${counted(done, 'chat')}${now}, ${counted(progress.threads(), 'thread')}`
    print(io, `Reindexed license ${id}: ${of}, in ${duration(seconds)}.`)
  }
  const is = (await findLicense(target.table, id))?.index_texts ?? texts
  if (is !== texts) warn(io, `note: Indexing texts was turned ${onOff(is)} meanwhile. Run it once more.`)
  if (isDone) return
  throw new AdminError(
    [
      `${ends[end]} ${done} of ${total} chats are done${failures.length > 0 ? '; these failed:' : '.'}`,
      ...failures.map(({ id, error }) => `  ${id}  ${error}`),
      'Give the command again to go on.',
    ].join('\n'),
  )
}

const ends: Record<Reindexed['end'], string> = {
  done: 'It has ended.',
  stopped: 'Stopped.',
  gaveUp: 'Too many chats failed, and the others were left.',
}

const startOf = (io: Io, license: string, earlier: Reindexing | undefined, texts: boolean): Reindexing => {
  if (earlier?.texts === texts) return earlier
  // what it has done is not as it is to be
  if (earlier !== undefined)
    warn(
      io,
      `Indexing texts was turned ${onOff(texts)} after the run of ${iso(earlier)}: license ${license} is begun anew.`,
    )
  return { began_at: io.now(), texts, chats: 0, failed: [] }
}

const onOff = (is: boolean): string => (is ? 'on' : 'off')
const iso = ({ began_at }: Reindexing): string => isoTime(Math.floor(began_at / 1000))

const mostOfReason = 300
const reason = (target: Target, error: unknown): string => {
  const said =
    error instanceof Error ? (target.explain(error) ?? `${error.name}: ${error.message}`) : String(error)
  return said.replaceAll(/\s+/gu, ' ').slice(0, mostOfReason)
}
