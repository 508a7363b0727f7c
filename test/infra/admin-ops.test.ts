import { describe, expect, it } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import {
  changed,
  groupIdUnused,
  groupJoined,
  identityDeleted,
} from '../../shared/provisioning/account-ops.ts'
import { readable } from '../support/readable-op.ts'

describe('writes of accounts, as data', () => {
  it('a change sets and removes what it names, if the version is the one that was read', () => {
    const key = keys.group('acme', 3)
    expect(readable(changed(key, 7, { name: 'Ana', groups: [1] }, ['email', 'avatar']))).toEqual({
      Update: {
        Key: key,
        does: 'SET name = "Ana", groups = [1], version = 8 REMOVE email, avatar',
        when: 'version = 7',
      },
    })
  })

  it('a change that removes nothing has no REMOVE', () => {
    expect(readable(changed(keys.agent('acme', 'ana'), 1, { suspended: true }))).toMatchObject({
      Update: { does: 'SET suspended = true, version = 2' },
    })
  })

  it('a group id is free if its license is there and never deleted such a group', () => {
    expect(readable(groupIdUnused('acme', 3))).toEqual({
      ConditionCheck: {
        Key: { pk: 'LICENSE#acme', sk: 'LICENSE' },
        when: 'attribute_exists(pk) AND NOT contains(deleted_groups, 3)',
      },
    })
  })

  it('an agent joins a group only where it is, and raises its version', () => {
    expect(readable(groupJoined('acme', 3))).toEqual({
      Update: {
        Key: { pk: 'LICENSE#acme', sk: 'GROUP#3' },
        does: 'ADD version 1',
        when: 'attribute_exists(pk)',
      },
    })
  })

  it("an identity is taken from no agent but its own, and no id crosses the key's borders", () => {
    const identity = { issuer: 'https://a#b', subject: 'c#d' }
    expect(readable(identityDeleted(identity, { license_id: 'acme', id: 'ana' }))).toEqual({
      Delete: {
        Key: { pk: 'IDENTITY#https://a%23b#c%23d', sk: 'IDENTITY' },
        when: '(attribute_not_exists(pk) OR license_id = "acme" AND agent_id = "ana")',
      },
    })
  })
})
