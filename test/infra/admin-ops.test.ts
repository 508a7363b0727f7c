import { describe, expect, it } from 'vitest'
import { keys } from '../../shared/table/keys.ts'
import {
  changed,
  groupIdUnused,
  groupJoined,
  identityDeleted,
} from '../../shared/provisioning/account-ops.ts'

describe('writes of accounts, as data', () => {
  it('a change sets and removes what it names, if the version is the one that was read', () => {
    const key = keys.group('acme', 3)
    expect(changed(key, 7, { name: 'Ana', groups: [1] }, ['email', 'avatar'])).toEqual({
      Update: {
        Key: key,
        UpdateExpression: 'SET #name = :name, #groups = :groups, #version = :version REMOVE #email, #avatar',
        ConditionExpression: '#version = :read',
        ExpressionAttributeNames: {
          '#name': 'name',
          '#groups': 'groups',
          '#version': 'version',
          '#email': 'email',
          '#avatar': 'avatar',
        },
        ExpressionAttributeValues: { ':read': 7, ':name': 'Ana', ':groups': [1], ':version': 8 },
      },
    })
  })

  it('a change that removes nothing has no REMOVE', () => {
    expect(changed(keys.agent('acme', 'ana'), 1, { suspended: true })).toMatchObject({
      Update: { UpdateExpression: 'SET #suspended = :suspended, #version = :version' },
    })
  })

  it('a group id is free if its license is there and never deleted such a group', () => {
    expect(groupIdUnused('acme', 3)).toMatchObject({
      ConditionCheck: {
        Key: { pk: 'LICENSE#acme', sk: 'LICENSE' },
        ConditionExpression: 'attribute_exists(pk) AND NOT contains(#deleted, :group)',
        ExpressionAttributeValues: { ':group': 3 },
      },
    })
  })

  it('an agent joins a group only where it is, and raises its version', () => {
    expect(groupJoined('acme', 3)).toMatchObject({
      Update: {
        Key: { pk: 'LICENSE#acme', sk: 'GROUP#3' },
        UpdateExpression: 'SET #version = if_not_exists(#version, :none) + :one',
        ConditionExpression: 'attribute_exists(pk)',
      },
    })
  })

  it("an identity is taken from no agent but its own, and no id crosses the key's borders", () => {
    expect(
      identityDeleted({ issuer: 'https://a#b', subject: 'c#d' }, { license_id: 'acme', id: 'ana' }),
    ).toMatchObject({
      Delete: {
        Key: { pk: 'IDENTITY#https://a%23b#c%23d', sk: 'IDENTITY' },
        ConditionExpression: 'attribute_not_exists(pk) OR (#license = :license AND #agent = :agent)',
        ExpressionAttributeValues: { ':license': 'acme', ':agent': 'ana' },
      },
    })
  })
})
