import { unmarshall } from '@aws-sdk/util-dynamodb'
import { agentChanged, licenseChanged } from '../../shared/account/refresh.ts'
import { socketGone } from '../../shared/account/presence.ts'
import { config } from '../../shared/runtime/config.ts'
import { type BatchResult, failed, work } from '../../shared/runtime/work.ts'
import { changedOf } from '../../shared/table/keys.ts'

type Image = Parameters<typeof unmarshall>[0]
interface StreamEvent {
  Records: {
    eventName?: string
    dynamodb?: { Keys?: Image; NewImage?: Image; OldImage?: Image; SequenceNumber?: string }
  }[]
}
type StreamRecord = StreamEvent['Records'][number]

/**
 * The stream's worker for accounts and presence. Records come at least once, in order per item, and only say what has
 * changed: it acts on what the table holds now. The first that fails ends the batch, which comes again from there.
 */
export const handler = async (event: StreamEvent): Promise<BatchResult> => {
  for (const record of event.Records) {
    try {
      await follow(record)
    } catch (error) {
      return { batchItemFailures: failed(record.dynamodb?.SequenceNumber ?? '', 'stream', error) }
    }
  }
  return { batchItemFailures: [] }
}

const follow = async ({ eventName, dynamodb = {} }: StreamRecord): Promise<void> => {
  const { pk, sk } = unmarshall(dynamodb.Keys ?? {})
  const changed = changedOf({ pk: String(pk), sk: String(sk) })
  if (changed === undefined) return
  if (changed.item === 'agentSocket') {
    const gone = eventName === 'REMOVE'
    if (gone) await work((ctx) => socketGone(ctx, changed.license, changed.agent, config.presenceGraceS()))
    return
  }
  // presence writes an agent too, on every login, and leaves its version as it is; a new account has no sockets
  const version = (image: Image | undefined): unknown => unmarshall(image ?? {})['version']
  if (eventName === 'INSERT' || version(dynamodb.OldImage) === version(dynamodb.NewImage)) return
  if (changed.item === 'license') await work((ctx) => licenseChanged(ctx, changed.license))
  else await work((ctx) => agentChanged(ctx, changed.license, changed.agent))
}
