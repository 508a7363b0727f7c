import { watching } from '../access/audience.ts'
import { pushClosing } from '../chat/announce/entries.ts'
import { enqueueRouting } from '../chat/enqueue-routing.ts'
import type { WorkCtx } from '../delivery/worker-context.ts'
import { readErased } from '../table/erasing.ts'

/**
 * A customer's data are being erased: those who saw its active thread are told that it was closed. May run
 * twice. Resolves once it is known whom to tell, so that the customer's sessions may end.
 */
export const announceErased = async (ctx: WorkCtx, license: string, customer: string): Promise<void> => {
  const erased = await readErased(ctx.read, license, customer)
  if (erased?.closing === undefined) return
  const { chat } = erased.closing
  pushClosing(ctx, { ...erased.closing, by: undefined })
  await ctx.awaitAudience(watching(chat), 'thread_closed')
  // agents of its thread may take another
  await enqueueRouting(ctx, license)
}
