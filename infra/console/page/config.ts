/** The settings that the console's server tells: `ConsoleConfig` of `infra/console/server.ts`. */
export interface Config {
  agent_url: string
  customer_url?: string
  license_id?: string
  agents: readonly { id: string; token: string; permission: string }[]
}

export const readConfig = async (): Promise<Config> => {
  const response = await fetch('/config.json')
  if (!response.ok) throw new Error(`The console's server answered ${response.status}: is it still running?`)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
  return (await response.json()) as Config
}
