import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../..')
const tsc = join(root, 'node_modules/typescript/bin/tsc')

const head = [
  `import * as z from '${root}/node_modules/zod/mini/index.js'`,
  ...['action'].map((name) => `import { ${name} } from '${root}/shared/protocol/action.ts'`),
  ...[
    ['closeThread', 'close_thread'],
    ['getChatThreads', 'get_chat_threads'],
    ['login', 'login'],
    ['ping', 'ping'],
    ['sendEvent', 'send_event'],
    ['startChat', 'start_chat'],
  ].map(([name, file]) => `import { ${name} } from '${root}/shared/protocol/agent/${file}.ts'`),
  `import { closeThread as close } from '${root}/shared/chat/threads.ts'`,
  `import { getChatsSummary } from '${root}/shared/protocol/customer/get_chats_summary.ts'`,
  `import { pushed } from '${root}/shared/protocol/envelope.ts'`,
  `import { everyAgent } from '${root}/shared/push/audience.ts'`,
  `import { serve } from '${root}/shared/runtime/serve.ts'`,
  `import { keys } from '${root}/shared/table/keys.ts'`,
  `import type { ChatSummary } from '${root}/shared/protocol/objects.ts'`,
  'export const used = [z, action, closeThread, getChatThreads, login, ping, sendEvent, startChat, getChatsSummary, close, pushed, everyAgent, serve, keys]',
  'declare const answer: never',
].join('\n')

const contract = (fields: string) =>
  `const base = { name: 'x', summary: 'X.', request: z.object({}), response: null, needs: [], pushes: [], session: 'required', reads: [] } as const
  export const it = action({ ...base, ${fields} })`

/** Code that a story or a contract may hold, and what it must not: each is compiled as a file of its own. */
const allowed = {
  'a declared read, write and push': `serve(sendEvent, async (ctx, { chat_id, event }) => {
    await ctx.read.get(keys.chat(chat_id))
    await ctx.write.write({ Delete: { Key: keys.chat(chat_id) } })
    ctx.push(everyAgent(ctx.me.license_id), 'incoming_chat_thread', answer)
    return { thread_id: ctx.chat.id, event: { id: ctx.nonce, order: ctx.tail.m, timestamp: ctx.now(), recipients: 'all', type: 'message', text: event.type } as const }
  })`,
  'an action without a payload in its answer': 'serve(ping, async () => {})',
  'the shared writing of a closed thread by who may write':
    'serve(closeThread, async (ctx) => { await close(ctx, undefined) })',
  'a contract with every field': contract(
    "needs: ['read', 'write', 'push'], pushes: ['incoming_event'], reads: ['chat', 'tail'], may: 'member', tokenScopes: { any: ['broadcast:write'] }, denied: 'No.'",
  ),
  "a customer's session where the contract is one of customers":
    'serve(getChatsSummary, async (ctx) => { await ctx.read.get(keys.chat(ctx.me.customer_id)); return answer })',
  'a contract of customers': contract(
    "by: 'customer', needs: ['read', 'push'], pushes: ['incoming_sneak_peek', 'customer_updated']",
  ),
  'a push to customers by their table, and one to agents by theirs': `export const frames = [
    pushed('customer_disconnected', { reason: 'customer_banned' }),
    pushed('agent_disconnected', { reason: 'access_token_expired' }),
  ]`,
}

const forbidden = {
  'a write that is not in needs': [
    'serve(getChatThreads, async (ctx) => { await ctx.write.transact([]); return answer })',
    "Property 'write' does not exist",
  ],
  'a write by way of shared code': [
    'serve(getChatThreads, async (ctx) => { await close(ctx, undefined); return answer })',
    'is not assignable to parameter',
  ],
  'a push where none is in needs': [
    "serve(getChatThreads, async (ctx) => { ctx.push(everyAgent('l'), 'incoming_event', answer); return answer })",
    "Property 'push' does not exist",
  ],
  'a push that the contract does not name': [
    "serve(closeThread, async (ctx) => { ctx.push(everyAgent('l'), 'chat_users_updated', answer) })",
    `'"chat_users_updated"' is not assignable`,
  ],
  'a push with a field that its table lacks': [
    "serve(closeThread, async (ctx) => { ctx.push(everyAgent('l'), 'thread_closed', { chat_id: 'c', thread_id: 't', by: 'me' }) })",
    "'by' does not exist",
  ],
  'a push without a field of its table': [
    "serve(closeThread, async (ctx) => { ctx.push(everyAgent('l'), 'thread_closed', { chat_id: 'c' }) })",
    "Property 'thread_id' is missing",
  ],
  'a read where needs is empty': [
    "serve(ping, async (ctx) => { await ctx.read.get(keys.chat('c')) })",
    "Property 'read' does not exist",
  ],
  'the chat of an action that has none fetched': [
    'serve(startChat, async (ctx) => { ctx.chat.id; return answer })',
    "Property 'chat' does not exist",
  ],
  'the tail of an action that has only the chat fetched': [
    'serve(getChatThreads, async (ctx) => { ctx.tail.m; return answer })',
    "Property 'tail' does not exist",
  ],
  'the session of an action that has none': [
    'serve(login, async (ctx) => { ctx.me.agent_id; return answer })',
    "Property 'me' does not exist",
  ],
  'an agent where the contract is one of customers': [
    'serve(getChatsSummary, async (ctx) => { ctx.me.agent_id; return answer })',
    "Property 'agent_id' does not exist",
  ],
  'a customer where the contract is one of agents': [
    'serve(getChatThreads, async (ctx) => { ctx.me.customer_id; return answer })',
    "Property 'customer_id' does not exist",
  ],
  'what an agent is shown where the answer is to a customer': [
    'serve(getChatsSummary, async (): Promise<{ chats_summary: ChatSummary[], pagination: never }> => answer)',
    'is not assignable to',
  ],
  'an answer with a payload where the contract has none': [
    'serve(ping, async () => ({ pong: true }))',
    'is not assignable to',
  ],
  'an answer without a payload where the contract has one': [
    'serve(sendEvent, async () => {})',
    'is not assignable to',
  ],
  'an answer that lacks a field': [
    "serve(sendEvent, async () => ({ thread_id: 't' }))",
    "Property 'event' is missing",
  ],
  'an answer with a field of another type': [
    'serve(sendEvent, async () => ({ thread_id: 1, event: answer }))',
    "'number' is not assignable to type 'string'",
  ],
  'a field that the request does not have': [
    'serve(closeThread, async (_, payload) => { payload.agent_ids })',
    "Property 'agent_ids' does not exist",
  ],
  'a need that there is not': [contract("needs: ['scan']"), `'"scan"' is not assignable`],
  'a push that no table has': [contract("pushes: ['incoming_fax']"), `'"incoming_fax"' is not assignable`],
  'a push to customers in the place of one to agents': [
    contract("pushes: ['customer_disconnected']"),
    `'"customer_disconnected"' is not assignable`,
  ],
  'an endpoint that there is not': [contract("by: 'visitor'"), `'"visitor"' is not assignable`],
  'a reason for customers that only agents have': [
    "export const frame = pushed('customer_disconnected', { reason: 'access_token_expired' })",
    'is not assignable',
  ],
  'a read that serve does not know': [contract("reads: ['archives']"), `'"archives"' is not assignable`],
  'a token scope that the protocol does not have': [
    contract("tokenScopes: { any: ['chats:read'] }"),
    `'"chats:read"' is not assignable`,
  ],
} satisfies Record<string, [code: string, complaint: string]>

const fileOf = (name: string) => `${name.replaceAll(/\W/g, '-')}.ts`

/** What the project's own compiler says of each snippet, by file name. */
const compile = async (snippets: Record<string, string>): Promise<Map<string, string[]>> => {
  const dir = await mkdtemp(join(tmpdir(), 'agent-chat-types-'))
  try {
    for (const [name, code] of Object.entries(snippets))
      await writeFile(join(dir, fileOf(name)), `${head}\n${code}\n`)
    const project = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')], noUnusedLocals: false },
      include: ['*.ts'],
    }
    await writeFile(join(dir, 'tsconfig.json'), JSON.stringify(project))
    await writeFile(join(dir, 'package.json'), '{ "type": "module" }')
    const output = await new Promise<string>((resolve) => {
      const args = [tsc, '-p', dir, '--pretty', 'false']
      execFile(process.execPath, args, { cwd: dir }, (_, stdout, stderr) => resolve(stdout + stderr))
    })
    const found = new Map(Object.keys(snippets).map((name): [string, string[]] => [name, []]))
    let current: string[] | undefined
    for (const line of output.split('\n').filter((text) => text !== '')) {
      const [, file] = /^(\S+\.ts)\(\d+,\d+\): error /.exec(line) ?? []
      if (file !== undefined) {
        const name = Object.keys(snippets).find((one) => file === fileOf(one))
        current = name === undefined ? undefined : found.get(name)
      }
      // what is said of no snippet is of no use here, and no reason to pass over it
      if (current === undefined) throw new Error(`The compiler says: ${output}`)
      if (file === undefined) current.push(`${current.pop() ?? ''}\n${line}`)
      else current.push(line)
    }
    return found
  } finally {
    await rm(dir, { recursive: true })
  }
}

let errors: Map<string, string[]>
beforeAll(async () => {
  const codes = Object.entries(forbidden).map(([name, [code]]) => [name, code])
  errors = await compile({ ...allowed, ...Object.fromEntries(codes) })
})

describe('what a contract declares compiles', () => {
  test.each(Object.keys(allowed))('%s', (name) => {
    expect(errors.get(name)).toEqual([])
  })
})

describe('what a contract does not declare does not compile', () => {
  test.each(Object.entries(forbidden))('%s', (name, [, complaint]) => {
    const said = errors.get(name) ?? []
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(complaint)
  })
})
