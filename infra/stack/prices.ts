/** Dollars in us-east-1, on demand, without free tiers, for what each says. */
export const prices = {
  gatewayMessages: { dollars: 1, per: 1_000_000, of: 'million messages of API Gateway, in or out' },
  connectionMinutes: { dollars: 0.25, per: 1_000_000, of: 'million connection minutes' },
  invocations: { dollars: 0.2, per: 1_000_000, of: 'million requests of Lambda' },
  gbSeconds: { dollars: 13.3334, per: 1_000_000, of: 'million GB-seconds of Lambda on arm64' },
  writeUnits: { dollars: 0.625, per: 1_000_000, of: 'million write units of DynamoDB' },
  readUnits: { dollars: 0.125, per: 1_000_000, of: 'million read units of DynamoDB' },
  busEvents: { dollars: 1, per: 1_000_000, of: 'million events put on a bus of EventBridge, per 64 KB' },
  webhookPosts: { dollars: 0.2, per: 1_000_000, of: 'million posts of API destinations' },
  queueRequests: { dollars: 0.4, per: 1_000_000, of: 'million requests of SQS' },
} as const
export type Unit = keyof typeof prices
