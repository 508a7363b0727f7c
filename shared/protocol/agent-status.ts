import * as z from 'zod/mini'
import { RoutingStatus } from './objects.ts'

/** The routing status of any agent. A person is offline without a connection, a bot once it is set so. */
export const AgentStatus = z.enum([...RoutingStatus.options, 'offline'])
export type AgentStatus = z.output<typeof AgentStatus>
