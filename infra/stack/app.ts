import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ChatStack } from './chat-stack.ts'
import { SettingsError, settingsFrom } from './stack-settings.ts'

const app = new App()
try {
  new ChatStack(app, settingsFrom(app.node))
} catch (error) {
  if (!(error instanceof SettingsError)) throw error
  process.stderr.write(`${error.message}\n`)
  // before what is there is synthesized
  process.exit(1)
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
