import { JWT } from 'google-auth-library'
import * as z from 'zod/mini'
import { config } from '../platform/config.ts'
import { readSecret } from '../platform/secrets.ts'
import { InternalError } from '../protocol/errors.ts'
import { parseJson } from '../protocol/json.ts'

const ServiceAccount = z.object({
  project_id: z.string(),
  client_email: z.string(),
  private_key: z.string(),
  token_uri: z.optional(z.url()),
})

const googleTokenUri = 'https://oauth2.googleapis.com/token'

export const callMs = 3000

// a Lambda that was frozen finds its kept connections dead, and cannot tell whether a message was lost with
// one
export const ownConnection = { connection: 'close' }

export interface Account {
  /** Where its project's messages go. */
  url: string
  /** An access token that is good for a while yet. */
  token: () => Promise<string>
  /** That FCM did not take this token: the next one is a new one. */
  notTaken: (token: string) => void
}

let account: Promise<Account> | undefined

/** The service account: read once, and again where that failed or Google knows it no more. */
export const openAccount = (): Promise<Account> => {
  if (account !== undefined) return account
  const opening = readAccount()
  opening.catch(() => forgetAccount(opening))
  account = opening
  return opening
}

export const forgetAccount = (known: Promise<Account> | undefined): void => {
  if (account === known) account = undefined
}

const readAccount = async (): Promise<Account> => {
  const secret = await readSecret(config.fcmSecretId() ?? '')
  const { project_id, client_email, private_key, token_uri } = ServiceAccount.parse(
    parseJson(secret?.text ?? ''),
  )
  const open = (): JWT => clientOf({ email: client_email, key: private_key }, token_uri ?? googleTokenUri)
  let client = open()
  let last: string | undefined
  return {
    url: `${config.fcmEndpoint()}/v1/projects/${encodeURIComponent(project_id)}/messages:send`,
    token: async () => {
      const { token } = await client.getAccessToken()
      if (typeof token !== 'string') throw new InternalError('Google gave no access token')
      last = token
      return token
    },
    notTaken: (token) => {
      // of many sends with one token the first that fails renews it for all
      if (token !== last) return
      last = undefined
      client = open()
    },
  }
}

const clientOf = (own: { email: string; key: string }, tokenUri: string): JWT =>
  new JWT({
    ...own,
    scopes: ['https://www.googleapis.com/auth/firebase.messaging'],
    additionalClaims: { aud: tokenUri },
    transporterOptions: {
      // the library knows one address for tokens, whatever the service account says
      fetchImplementation: (_address, init) =>
        fetch(tokenUri, {
          ...init,
          headers: { ...Object.fromEntries(new Headers(init?.headers)), ...ownConnection },
          signal: AbortSignal.timeout(callMs),
        }),
      // a failed exchange is tried again by `send`, which knows how much time there is
      retryConfig: { retry: 0 },
    },
  })

// messages of errors can quote a secret, or what was sent: the log gets names
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : typeof error)
