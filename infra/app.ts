import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ChatStack } from './chat-stack.ts'
import { settingsFrom } from './stack-settings.ts'

const app = new App()
new ChatStack(app, settingsFrom(app.node))
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))
