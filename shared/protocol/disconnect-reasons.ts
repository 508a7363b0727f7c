import * as z from 'zod/mini'

/** Why the server closes an agent's connection (protocol §6). */
export const DisconnectReason = z.enum([
  'access_token_revoked',
  'access_token_expired',
  'license_expired',
  'too_many_connections',
  'agent_disconnected_by_server',
])
export type DisconnectReason = z.output<typeof DisconnectReason>

/** Why the server closes a customer's connection (protocol §6). */
export const CustomerDisconnectReason = z.enum(['customer_banned', 'license_expired', 'too_many_connections'])
export type CustomerDisconnectReason = z.output<typeof CustomerDisconnectReason>
