import * as z from 'zod/mini'
import { AdminError } from '../../../shared/provisioning/admin-error.ts'
import { findLicense, type LicenseRecord } from '../../../shared/provisioning/change-license.ts'
import { readReindexing, type Reindexing } from '../../../shared/table/archive/reindexing.ts'
import { LicenseId } from '../cli/account-fields.ts'
import { type Context, verb } from '../cli/command.ts'
import { interruptibly } from '../cli/interrupt.ts'
import { requireLicense } from '../cli/obstacles.ts'
import { counted, duration, type Io, isoTime, print, warn } from '../cli/output.ts'
import { argument, flag } from '../cli/parameters.ts'
import { eachChatId } from '../data/each-chat.ts'
import type { Run } from '../data/reindex-chat.ts'
import { type Reindexed, reindexLicense } from '../data/reindex-license.ts'
import { openReindexProgress } from '../data/reindex-progress.ts'
import { openAccess } from '../data/retries.ts'

const Input = z.object({
  license: argument(LicenseId),
  restart: flag('--restart', 'begins anew where an earlier run did not come to its end'),
  json: flag('--json', 'print what came of it as JSON'),
})

export const reindex = verb({
  about: "Rebuilds the index by which a license's chats and archives are searched, while all goes on.",
  input: Input,
  notes: `It is for chats that are older than the index, or than license set --index-texts, and for an index that something has
gone wrong with. A run that was stopped goes on where it was when the command is given again. How far it is goes to
standard error.`,
  examples: ['reindex acme', 'reindex acme --restart', 'reindex acme --table agent-chat --region eu-west-1'],
  run: async (input, context) => {
    const license = await requireLicense(context.table, input.license)
    await interruptibly(context.io, (stopped) => reindexShown(context, license, input, stopped))
  },
})

/** Runs it, says on standard error how far it is, and in the end what came of it. */
const reindexShown = async (
  { table, within, explain, io }: Context,
  { id, index_texts: texts }: LicenseRecord,
  { restart, json: asJson = false }: z.output<typeof Input>,
  stopped: AbortSignal,
): Promise<void> => {
  const earlier = restart === true ? undefined : await readReindexing(table.read, id)
  const start = startOf(io, id, earlier, texts)
  const resumed = start === earlier
  const before = start.chats - start.failed.length
  const { pause } = io
  const access = openAccess(within, io.now, pause && { pause })
  let total = 0
  for await (const _ of eachChatId(access, id)) total += 1
  if (resumed)
    warn(
      io,
      `Going on with the run of ${iso(start)}: ${before} of ${total} chats are done. --restart begins anew.`,
    )

  const progress = openReindexProgress(io, { before, total })
  stopped.addEventListener('abort', () => {
    progress.clear()
    warn(io, 'Stopping, once what is under way is done.')
  })
  const run: Run = { ...access, stopped, onThreads: progress.onThreads }
  const { end, done, failures } = await reindexLicense(run, id, start, progress.onChat)
  progress.clear()

  const failed = [...failures].map(([chat, error]) => ({ id: chat, error: reason(explain, error) }))
  const seconds = progress.elapsedMs() / 1000
  const threads = progress.threads()
  const isDone = end === 'done' && failed.length === 0
  const now = resumed ? `, ${done - before} of them now` : ''
  const of = `${counted(done, 'chat')}${now}, ${counted(threads, 'thread')}`
  const line = `Reindexed license ${id}: ${of}, in ${duration(seconds)}.`
  const chats = { total, done, failed }
  const began_at = Math.floor(start.began_at / 1000)
  const json = { license_id: id, end, chats, threads, began_at, resumed, seconds }
  if (isDone || asJson) print(io, { json, lines: [line] }, asJson)
  const is = (await findLicense(table, id))?.index_texts ?? texts
  if (is !== texts) warn(io, `note: Indexing texts was turned ${onOff(is)} meanwhile. Run it once more.`)
  if (!isDone) throw unfinished(end, chats)
}

const unfinished = (
  end: Reindexed['end'],
  { total, done, failed }: { total: number; done: number; failed: { id: string; error: string }[] },
): AdminError =>
  new AdminError(
    [
      `${ends[end]} ${done} of ${total} chats are done${failed.length > 0 ? '; these failed:' : '.'}`,
      ...failed.map(({ id, error }) => `  ${id}  ${error}`),
      'Give the command again to go on.',
    ].join('\n'),
  )

const ends: Record<Reindexed['end'], string> = {
  done: 'It has ended.',
  stopped: 'Stopped.',
  gaveUp: 'Too many chats failed, and the others were left.',
}

const startOf = (io: Io, license: string, earlier: Reindexing | undefined, texts: boolean): Reindexing => {
  if (earlier?.texts === texts) return earlier
  // its chats are not indexed as they are to be
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
const reason = (explain: Context['explain'], error: unknown): string => {
  const said = error instanceof Error ? (explain(error) ?? `${error.name}: ${error.message}`) : String(error)
  return said.replaceAll(/\s+/gu, ' ').slice(0, mostOfReason)
}
