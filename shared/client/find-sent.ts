import { answerMs, type Calls, type SendEvent } from './requests.ts'

const mostPages = 10

interface FoundThreads {
  chat: {
    threads_summary: { thread_id: string }[]
    threads: { has_more?: boolean; events: { order: number; custom_id?: string }[] }[]
  }
}

/** An event of this `custom_id` in the last two threads: what a try that had no answer has stored. */
export const findSent = async (
  line: Calls,
  { chat_id, event: { custom_id } }: SendEvent,
): Promise<unknown> => {
  const read = async (payload: object): Promise<FoundThreads> =>
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion, typescript/consistent-type-assertions
    (await line.call('get_chat_threads', { chat_id, ...payload }, answerMs)) as FoundThreads
  const { chat } = await read({})
  for (const { thread_id } of chat.threads_summary.slice(-2).toReversed())
    for (let before_order: number | undefined, pages = 0; pages < mostPages; pages += 1) {
      const page = await read({
        thread_ids: [thread_id],
        limit: 100,
        ...(before_order && { before_order }),
      })
      const [thread] = page.chat.threads
      const event = thread?.events.find((one) => one.custom_id === custom_id)
      if (event !== undefined) return { thread_id, event }
      before_order = thread?.events[0]?.order
      if (thread?.has_more !== true) break
    }
  return undefined
}
