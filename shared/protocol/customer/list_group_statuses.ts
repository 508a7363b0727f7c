import * as z from 'zod/mini'
import { action } from '../action.ts'
import { Groups } from '../fields.ts'
import { GroupsStatus } from '../objects.ts'

export const listGroupStatuses = action({
  name: 'list_group_statuses',
  summary: 'Tells of groups whether somebody in them is free, there but full, or nobody is there.',
  by: 'customer',
  request: z.object({ group_ids: Groups }),
  response: z.strictObject({ groups_status: GroupsStatus }),
  needs: ['read'],
  alsoReads: ['loads', 'groupStatuses'],
  pushes: [],
  session: 'required',
  reads: [],
})
