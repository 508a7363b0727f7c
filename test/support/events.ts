/** A message as clients send it. */
export const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })

/** A system message as clients are shown it, but for its id, order and timestamp. */
export const systemMessage = (system_message_type: string, text: string, recipients = 'all') => ({
  ...{ type: 'system_message', system_message_type, text },
  recipients,
})
