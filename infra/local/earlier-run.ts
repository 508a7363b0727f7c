import { randomUUID } from 'node:crypto'
import { AgentItem, LicenseListed, wentOffline } from '../../shared/table/accounts.ts'
import type { Table } from '../../shared/table/client.ts'
import { agentPrefix, licensePk, licensesPk } from '../../shared/table/keys.ts'
import { agentSocketRemoved, readAgentSockets, socketRemoved } from '../../shared/table/sockets.ts'

/**
 * Puts right what a run left behind that was ended or killed: no socket outlives the gateway, and no agent is online
 * without one. For the time before anyone can connect.
 */
export const endEarlierRun = async ({ read, write }: Table): Promise<void> => {
  for (const listed of await read.query({ pk: licensesPk })) {
    const license = LicenseListed.parse(listed).id
    for (const { agent_id, connection } of await readAgentSockets(read, license)) {
      await write.write(socketRemoved(connection))
      await write.write(agentSocketRemoved(license, agent_id, connection))
    }
    for (const item of await read.query({ pk: licensePk(license), prefix: agentPrefix }))
      if (item['online'] === true) await write.write(wentOffline(AgentItem.parse(item), randomUUID()))
  }
}
