import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb'
import { randomUUID } from 'node:crypto'
import { AgentItem, LicenseListed, setOffline } from '../../shared/table/accounts.ts'
import { releaseManifest } from '../../shared/table/archive/manifests.ts'
import type { Table } from '../../shared/table/client.ts'
import { CustomerItem, setCustomerOffline } from '../../shared/table/customers.ts'
import { removeConnection } from '../../shared/table/end-session.ts'
import { changedOf } from '../../shared/table/key-parts.ts'
import { lastNumberOf } from '../../shared/table/key-prefixes.ts'
import { agentPrefix, licensePk, licensesPk, manifestPrefix } from '../../shared/table/keys.ts'
import { readAgentSockets } from '../../shared/table/socket-lists.ts'

/**
 * Puts right what a run left behind that was ended or killed: no socket outlives the gateway, nobody but a
 * bot is online without one, and nobody is at the index. For the time before anyone can connect.
 */
export const endCrashedRun = async (
  { read, write }: Table,
  engine: { client: DynamoDBClient; tableName: string },
): Promise<void> => {
  for (const listed of await read.query({ pk: licensesPk })) {
    const license = LicenseListed.parse(listed).id
    for (const row of await readAgentSockets(read, license))
      for (const op of removeConnection(row)) await write.write(op)
    for (const item of await read.query({ pk: licensePk(license), prefix: agentPrefix }))
      if (item['online'] === true && item['bot'] !== true)
        await write.write(setOffline(AgentItem.parse(item), randomUUID()))
  }
  for await (const item of leftBehind(engine)) {
    const key = { pk: String(item['pk']), sk: String(item['sk']) }
    const changed = changedOf(key)
    if (changed?.item === 'customerSocket') {
      const { license, customer, connection } = changed
      const of = { license_id: license, customer_id: customer, connection }
      for (const op of removeConnection(of)) await write.write(op)
    } else if (changed?.item === 'customer' && item['online'] === true)
      await write.write(setCustomerOffline(CustomerItem.parse(item), randomUUID(), Date.now()))
    else if (changed === undefined)
      await write.write(releaseManifest(key.pk.slice('CHAT#'.length), lastNumberOf(key)))
  }
}

/**
 * Everything under the keys of customers, of whom no list has all who were there, and the manifests that were
 * being written. Data of one machine may be scanned.
 */
async function* leftBehind({ client, tableName }: { client: DynamoDBClient; tableName: string }) {
  const pages = paginateScan(
    { client: DynamoDBDocumentClient.from(client) },
    {
      TableName: tableName,
      FilterExpression:
        'begins_with(pk, :customers) OR (begins_with(sk, :manifests) AND attribute_exists(#until))',
      ExpressionAttributeNames: { '#until': 'until' },
      ExpressionAttributeValues: { ':customers': 'CUSTOMER#', ':manifests': manifestPrefix },
    },
  )
  for await (const { Items = [] } of pages) yield* Items
}
