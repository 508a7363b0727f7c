/** Stands in for the SDK's credential chain in bundles: what Lambda sets is in the environment. */
export { fromEnv as defaultProvider } from '@aws-sdk/credential-provider-env'
