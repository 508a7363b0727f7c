/** Protocol §8, in bytes of UTF-8 where a name ends in `Bytes`. */
export const limits = {
  requestBytes: 32 * 1024,
  /** How deep a request's objects and arrays may be nested, in fields that nobody reads as well. */
  frameDepth: 200,
  /** The gateway's own limit is 128 KiB; every response and push stays below this. */
  frameBytes: 120 * 1024,
  textBytes: 16 * 1024,
  contentBytes: 16 * 1024,
  contentDepth: 64,
  idBytes: 128,
  requestIdLength: 128,
  firebaseTokenBytes: 1024,
  nameBytes: 256,
  urlBytes: 2048,
  /** Of a page's title: what a line shows. */
  titleBytes: 512,
  propertyNamespaces: 20,
  propertyNames: 100,
  propertyTextBytes: 4 * 1024,
  propertiesBytes: 8 * 1024,
  agentConnections: 30,
  customerConnections: 10,
  customerProperties: 50,
  customerPropertiesBytes: 4 * 1024,
  presentUsers: 50,
  membershipIds: 20,
  /** Agents who follow a chat. */
  followers: 50,
  tags: 20,
  tagBytes: 64,
  ids: 100,
  threadIds: 100,
  initialEvents: 20,
  chatCustomers: 1,
  fields: 50,
  options: 100,
  eventsPage: 25,
  eventsPageMax: 100,
  threadsSummary: 1000,
  chatsSummary: 100,
  directory: 500,
  banDays: 3650,
  filterValues: 100,
  filterValuesInAll: 300,
  propertyFilters: 100,
  queryWords: 20,
  pageDefault: 25,
  pageMax: 100,
  customerChats: 10,
  customerChatsMax: 25,
  lastThreads: 10,
  lastThreadsMax: 25,
  threadsSummaryPage: 25,
  syncPage: 100,
} as const

/**
 * Protocol §1: the last moment at which a lost race is tried again, and the one at which everything is
 * aborted.
 */
export const deadlines = { lastRetryMs: 12_000, abortMs: 15_000 } as const
