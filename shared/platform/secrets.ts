import {
  GetSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'

const callMs = 3000

let client: SecretsManagerClient | undefined

/** A secret's text, and which version of it this is. */
export interface Secret {
  text: string
  version: string
}

/** A version of a secret: the current one, or the one before it; undefined where there is none. */
export const readSecret = async (
  id: string,
  stage: 'AWSCURRENT' | 'AWSPREVIOUS' = 'AWSCURRENT',
): Promise<Secret | undefined> => {
  client ??= new SecretsManagerClient({ maxAttempts: 2 })
  const command = new GetSecretValueCommand({ SecretId: id, VersionStage: stage })
  try {
    const { SecretString = '', VersionId = '' } = await client.send(command, {
      abortSignal: AbortSignal.timeout(callMs),
    })
    return { text: SecretString, version: VersionId }
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined
    throw error
  }
}
