import { listStatuses } from '../../shared/chat/list-statuses.ts'
import { listGroupStatuses } from '../../shared/protocol/customer/list_group_statuses.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(listGroupStatuses, async (ctx, { group_ids }) => ({
  groups_status: await listStatuses(ctx, ctx.me.license_id, group_ids),
}))
