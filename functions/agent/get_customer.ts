import { readCard, showCustomer } from '../../shared/account/customer-card.ts'
import { getCustomer } from '../../shared/protocol/agent/get_customer.ts'
import { serveBoth } from '../../shared/request/serve-both.ts'

export const handler = serveBoth(getCustomer, async ({ read, me }, { customer_id }) => {
  const card = await readCard(read, me, customer_id, getCustomer.denied)
  const { chat } = card
  const active_chat_id = chat?.active === true ? chat.id : undefined
  return { customer: { ...showCustomer(card), active_chat_id } }
})
