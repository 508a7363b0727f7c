/** A message as clients send it. */
export const message = (text: string, more: object = {}) => ({ type: 'message', text, ...more })
