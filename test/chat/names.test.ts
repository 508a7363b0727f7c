import { expect, test } from 'vitest'
import { existingScopes, type Names } from '../../shared/chat/deleted-names.ts'
import { AgentItem } from '../../shared/table/accounts.ts'

const gone = AgentItem.parse({
  ...{ id: 'gone', license_id: 'l', name: 'Gone', permission: 'normal', groups: [], version: 2 },
  deleted: true,
})
const names: Names = { deleted: [gone], license: { deleted_groups: [1, 2, 3], successors: { 1: 2, 2: 4 } } }

test('scopes name who was not deleted, an agent too that is not in sight yet, and successors once', () => {
  expect(existingScopes({ groups: [1, 4, 3, 5], agents: ['gone', 'new'] }, names)).toEqual({
    groups: [4, 5],
    agents: ['new'],
  })
})
