import { setNotifications } from '../../shared/account/devices.ts'
import { changePushNotifications } from '../../shared/protocol/agent/change_push_notifications.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(changePushNotifications, (ctx, change) =>
  setNotifications(ctx, change, changePushNotifications.denied),
)
