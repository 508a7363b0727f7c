import { listStatuses } from '../../shared/chat/list-statuses.ts'
import { listGroupStatuses } from '../../shared/protocol/agent/list_group_statuses.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(listGroupStatuses, async (ctx, { group_ids }) => ({
  groups_status: await listStatuses(ctx, ctx.me.license_id, group_ids),
}))
