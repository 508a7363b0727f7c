import { readCard, showCustomer } from '../../shared/account/customer-card.ts'
import { getCustomer } from '../../shared/protocol/agent/get_customer.ts'
import { serve } from '../../shared/request/serve.ts'

export const handler = serve(getCustomer, async ({ read, me }, { customer_id }) => {
  const card = await readCard(read, me, customer_id, getCustomer.denied)
  const { chat } = card
  const active_chat_id = chat?.active === true ? chat.id : undefined
  return { customer: { ...showCustomer(card), active_chat_id } }
})
