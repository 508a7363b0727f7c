import type { LocalStack } from '../../infra/local/stack.ts'
import { answerDirectly, answerNoMore } from './direct.ts'

type Answered = { status: number; headers: Readonly<Record<string, string>>; body: string }

const direct = ({ status, headers, body }: Answered) => ({
  status,
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])),
  body: Buffer.from(body),
})
const buffer = ({ buffer: bytes, byteOffset, byteLength }: Uint8Array) =>
  Buffer.from(bytes, byteOffset, byteLength)
const never = new Promise<never>(() => {})

/**
 * Has the posts and the jobs of a stack's functions answered without a socket, each of which takes as long as
 * two reads of the table. Returns what ends it.
 */
export const answerStackDirectly = ({
  gateway,
  customers,
  queue,
}: Pick<LocalStack, 'gateway' | 'customers' | 'queue'>): (() => void) => {
  const portOf = (url: string) => Number(new URL(url).port)
  const gateways = [gateway, customers].map((one) => [portOf(one.callbackUrl), one] as const)
  for (const [port, one] of gateways)
    answerDirectly(port, async ({ method, path, body }) => {
      const answer = await one.answer({ method, url: path, body: buffer(body) })
      return answer === undefined ? never : direct(answer)
    })
  const queuePort = portOf(queue.url)
  answerDirectly(queuePort, async ({ headers, body }) =>
    direct(queue.answer(headers['x-amz-target'] ?? '', buffer(body).toString())),
  )
  return () => [...gateways.map(([port]) => port), queuePort].forEach(answerNoMore)
}
