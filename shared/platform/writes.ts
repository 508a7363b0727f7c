import type { Family } from '../protocol/action.ts'

// What functions without a contract write, or check in a transaction: both their IAM grants and the types of
// their tables.

/** Of workers; those that push may besides write connections. */
export const workerWrites = {
  notify: ['account', 'device', 'chat', 'activeChats', 'changedChats', 'loads', 'groupStatuses'],
  index: ['chat', 'postings', 'marks', 'count'],
  later: [
    'account',
    'customer',
    'chat',
    'activeChats',
    'waitingChats',
    'changedChats',
    'loads',
    'groupStatuses',
    'postings',
    'marks',
    'keptCounts',
    'count',
  ],
  clock: ['account', 'chat', 'activeChats', 'waitingChats', 'changedChats', 'loads'],
} as const satisfies Record<string, readonly Family[]>
export type WorkerWrites = { [Worker in keyof typeof workerWrites]: (typeof workerWrites)[Worker][number] }

/** Of the functions behind the gateway's own routes. */
export const socketWrites = {
  connect: ['socket', 'address'],
  connectCustomer: ['socket', 'address'],
  default: ['address', 'count'],
  disconnect: ['socket', 'agentSockets', 'audience', 'customerSockets'],
} as const satisfies Record<string, readonly Family[]>
export type SocketWrites = { [Socket in keyof typeof socketWrites]: (typeof socketWrites)[Socket][number] }
