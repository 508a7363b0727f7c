/**
 * One room of the house: a folder, the floor it stands on, and the rooms of its own floor that it may ask.
 * Imports go downward, from a higher floor to a lower one.
 */
export interface Room {
  folder: string
  floor: number
  /** Its contents, in a few words. */
  holds: string
  /** Rooms of the same floor that it imports. */
  besides?: readonly string[]
}

/** The house, the roof first. `oxlint.config.ts` holds it, `docs/architecture.md` shows it. */
export const rooms: readonly Room[] = [
  { folder: 'functions/agent', floor: 9, holds: "one file per route of agents' apps" },
  { folder: 'functions/customer', floor: 9, holds: 'one file per route of customers' },
  { folder: 'functions/http', floor: 9, holds: 'preflights and unknown paths of the HTTP API' },
  { folder: 'functions/socket', floor: 9, holds: 'connect, disconnect, unknown routes' },
  { folder: 'functions/worker', floor: 9, holds: 'streams, delay queue, clock, fan-out' },
  {
    folder: 'infra/admin',
    floor: 9,
    holds: "the operator's command line",
    besides: ['infra/admin/commands', 'infra/admin/cli', 'infra/admin/data'],
  },
  {
    folder: 'infra/admin/commands',
    floor: 9,
    holds: 'a command with its verbs per file',
    besides: ['infra/admin/cli', 'infra/admin/data'],
  },
  {
    folder: 'infra/admin/data',
    floor: 9,
    holds: 'erasing, exporting and indexing anew',
    besides: ['infra/admin/cli'],
  },
  { folder: 'infra/admin/cli', floor: 9, holds: 'options, output, errors, scans' },

  {
    folder: 'shared/request',
    floor: 8,
    holds: 'from a request to its answer',
    besides: ['shared/account'],
  },
  { folder: 'shared/account', floor: 8, holds: 'logins, sessions, presence, tokens, devices' },
  { folder: 'shared/routing', floor: 8, holds: 'gives waiting chats out, hands chats on, closes them' },
  { folder: 'shared/archive/index', floor: 8, holds: 'what the stream changes in the index' },
  {
    folder: 'shared/archive/search',
    floor: 8,
    holds: 'queries, months, counts, results',
    besides: ['shared/archive/index'],
  },
  {
    folder: 'shared/sync',
    floor: 8,
    holds: 'what changed since a cursor',
    besides: ['shared/account'],
  },
  { folder: 'shared/mobile', floor: 8, holds: 'notifications by FCM' },
  {
    folder: 'shared/events',
    floor: 8,
    holds: 'what goes out to the event bus',
    besides: ['shared/account'],
  },

  {
    folder: 'shared/chat/announce',
    floor: 7,
    holds: 'what is pushed about a change',
    besides: ['shared/chat', 'shared/chat/start', 'shared/chat/view'],
  },
  {
    folder: 'shared/chat',
    floor: 7,
    holds: 'the rules of a chat, one verb per file',
    besides: ['shared/chat/start', 'shared/chat/announce', 'shared/chat/view'],
  },
  {
    folder: 'shared/chat/start',
    floor: 7,
    holds: 'starting chats and threads',
    besides: ['shared/chat'],
  },
  { folder: 'shared/chat/view', floor: 7, holds: 'what readers are shown' },

  { folder: 'shared/access', floor: 6, holds: 'who may read, do and hear what' },
  { folder: 'shared/delivery', floor: 5, holds: 'frames to connections' },
  {
    folder: 'infra/local',
    floor: 5,
    holds: 'the cloud on one machine',
    besides: [
      'infra/console',
      ...['engine', 'events', 'gateway', 'queue', 'secrets', 'stream'].map((part) => `infra/local/${part}`),
    ],
  },
  { folder: 'infra/console', floor: 5, holds: "the console's server", besides: ['infra/local'] },
  { folder: 'infra/local/gateway', floor: 5, holds: 'the WebSocket API', besides: ['infra/local'] },
  { folder: 'infra/local/queue', floor: 5, holds: 'the delay queue', besides: ['infra/local'] },
  { folder: 'infra/local/events', floor: 5, holds: 'the event bus', besides: ['infra/local'] },
  { folder: 'infra/local/secrets', floor: 5, holds: 'keys and tokens', besides: ['infra/local'] },
  { folder: 'infra/local/stream', floor: 5, holds: "the table's stream", besides: ['infra/local/engine'] },
  { folder: 'infra/local/engine', floor: 5, holds: 'DynamoDB' },
  { folder: 'infra', floor: 4, holds: 'bundles and generated pages', besides: ['infra/stack'] },
  { folder: 'infra/stack', floor: 4, holds: 'the CDK app' },
  { folder: 'shared/jobs', floor: 4, holds: 'the delay queue' },
  { folder: 'shared/platform', floor: 3, holds: 'log, metrics, settings, secrets, deadlines' },
  { folder: 'infra/console/page', floor: 3, holds: "the console: agents' desks and customers' widgets" },
  { folder: 'shared/provisioning', floor: 3, holds: 'changing licenses, groups and agents' },
  {
    folder: 'shared/table/chat',
    floor: 2,
    holds: 'items of chats and their logs',
    besides: ['shared/table'],
  },
  { folder: 'shared/table/archive', floor: 2, holds: "the index's items", besides: ['shared/table'] },
  {
    folder: 'shared/table',
    floor: 2,
    holds: 'every key, the other items, the one client',
    besides: ['shared/table/chat', 'shared/table/archive'],
  },
  { folder: 'shared/client', floor: 2, holds: "the client of agents' apps and customers' pages" },
  { folder: 'shared/protocol', floor: 1, holds: 'the wire: contracts, objects, errors, limits' },
]
