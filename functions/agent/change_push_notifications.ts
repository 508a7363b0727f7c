import { setNotifications } from '../../shared/account/devices.ts'
import { changePushNotifications } from '../../shared/protocol/agent/change_push_notifications.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(changePushNotifications, (ctx, change) =>
  setNotifications(ctx, change, changePushNotifications.denied),
)
