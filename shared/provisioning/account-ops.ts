import { type Key, keys } from '../table/keys.ts'
import type { Attributes, Op } from '../table/ops.ts'

/**
 * Sets and removes just these attributes of an item, and raises its version, if it still is the one that was
 * read.
 */
export function changed(key: Key, version: number, set: Attributes, remove: readonly string[] = []): Op {
  const values = { ...set, version: version + 1 }
  const assignments = Object.keys(values).map((name) => `#${name} = :${name}`)
  const removals = remove.map((name) => `#${name}`)
  return {
    Update: {
      Key: key,
      UpdateExpression: `SET ${assignments.join(', ')}${removals.length > 0 ? ` REMOVE ${removals.join(', ')}` : ''}`,
      ConditionExpression: '#version = :read',
      ExpressionAttributeNames: Object.fromEntries(
        [...Object.keys(values), ...remove].map((name) => [`#${name}`, name]),
      ),
      ExpressionAttributeValues: {
        ':read': version,
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      },
    },
  }
}

/** Puts an item whose key is free. */
export const added = (key: Key, attributes: Attributes): Op => ({
  Put: { Item: { ...key, ...attributes }, ConditionExpression: 'attribute_not_exists(pk)' },
})

export const licenseExists = (license: string): Op => ({
  ConditionCheck: { Key: keys.license(license), ConditionExpression: 'attribute_exists(pk)' },
})

/** The license exists, and never had a group of this id that was deleted. */
export const groupIdUnused = (license: string, group: number): Op => ({
  ConditionCheck: {
    Key: keys.license(license),
    ConditionExpression: 'attribute_exists(pk) AND NOT contains(#deleted, :group)',
    ExpressionAttributeNames: { '#deleted': 'deleted_groups' },
    ExpressionAttributeValues: { ':group': group },
  },
})

/**
 * The group exists and gets a member: raising its version makes a delete that did not see the member start
 * over. Costs as much as a check that it exists.
 */
export const groupJoined = (license: string, group: number): Op => ({
  Update: {
    Key: keys.group(license, group),
    UpdateExpression: 'SET #version = if_not_exists(#version, :none) + :one',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':none': 0, ':one': 1 },
  },
})

export const groupDeleted = (license: string, group: number, version: number): Op => ({
  Delete: {
    Key: keys.group(license, group),
    ConditionExpression: '#version = :version',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': version },
  },
})

/** Takes the identity from this agent, and from no other. */
export const identityDeleted = (
  { issuer, subject }: { issuer: string; subject: string },
  agent: { license_id: string; id: string },
): Op => ({
  Delete: {
    Key: keys.identity(issuer, subject),
    ConditionExpression: 'attribute_not_exists(pk) OR (#license = :license AND #agent = :agent)',
    ExpressionAttributeNames: { '#license': 'license_id', '#agent': 'agent_id' },
    ExpressionAttributeValues: { ':license': agent.license_id, ':agent': agent.id },
  },
})
