import { useEffect, useState } from 'preact/hooks'
import { type AgentEndpoint, ChatError } from '../../../shared/client/client.ts'
import { roleIn } from './chat-kinds.ts'
import type { Desk, DeskChat } from './desk-state.ts'
import { Dialog, Name, valuesOf } from './parts.tsx'
import { groupStatusOf, statusOf } from './statuses.ts'

type Agents = AgentEndpoint['actions']['list_agents_for_transfer']['answer']['agents']
type Target = AgentEndpoint['actions']['transfer_chat']['request']['target']

interface TransferProps {
  desk: Desk
  chat: DeskChat
  onClose: () => void
}

/** The dialog that gives a chat to another agent or to a group; a refusal is said where it was asked for. */
export const TransferDialog = ({ desk, chat, onClose }: TransferProps) => {
  const [agents, setAgents] = useState<Agents>()
  const [refusal, setRefusal] = useState<readonly string[]>([])
  const isIn = roleIn(chat, desk.me?.id) === 'agent'
  const chat_id = chat.id
  const readAgents = async (): Promise<void> => {
    try {
      setAgents((await desk.client.request('list_agents_for_transfer', { chat_id })).agents)
    } catch (error) {
      setRefusal(inWords(error))
    }
  }
  useEffect(() => void readAgents(), [chat_id])
  const transfer = async (target: Target, ignore_agents_availability: boolean): Promise<void> => {
    setRefusal([])
    try {
      await desk.client.request('transfer_chat', {
        chat_id,
        target,
        ignore_agents_availability,
        // whoever is not in the chat gives away that of others
        ignore_requester_presence: !isIn,
      })
      onClose()
    } catch (error) {
      setRefusal(inWords(error))
      // what each has to do may be another by now
      await readAgents()
    }
  }
  return (
    <Dialog title="Transfer this chat" onClose={onClose}>
      <form
        class="transfer"
        onSubmit={(event) => {
          event.preventDefault()
          const value = valuesOf(event.currentTarget)
          void transfer(targetOf(value('target')), value('waits') === 'on')
        }}
      >
        <p class="hint">
          {isIn ? 'You leave the chat' : 'The agents of the chat leave it'}, and whoever is chosen has it.
        </p>
        <AgentChoices
          desk={desk}
          agents={agents?.filter(({ agent_id }) => !isIn || agent_id !== desk.me?.id)}
        />
        <GroupChoices desk={desk} />
        <label class="check">
          <input type="checkbox" name="waits" />
          Wait if nobody is free
        </label>
        <Refusal of={refusal} />
        <button type="submit" class="primary">
          Transfer
        </button>
      </form>
    </Dialog>
  )
}

const Refusal = ({ of: details }: { of: readonly string[] }) => (
  <div role="alert">
    {details.length > 0 && (
      <div class="notice bad">
        <div>
          <strong>The chat was not transferred</strong>
          {details.map((detail) => (
            <p key={detail} dir="auto">
              {detail}
            </p>
          ))}
        </div>
      </div>
    )}
  </div>
)

const AgentChoices = ({ desk, agents }: { desk: Desk; agents: Agents | undefined }) => (
  <fieldset>
    <legend>Agents</legend>
    {agents === undefined && <p class="hint">Being read…</p>}
    {agents?.length === 0 && <p class="hint">Nobody else who can see this chat is logged in.</p>}
    {agents?.map(({ agent_id, active_chats, routing_status, is_bot }) => (
      <Choice
        key={agent_id}
        value={`agent:${agent_id}`}
        name={desk.nameOf(agent_id)}
        isBot={is_bot}
        hint={`${active_chats} active ${active_chats === 1 ? 'chat' : 'chats'}, ${statusOf(routing_status)}`}
      />
    ))}
  </fieldset>
)

const GroupChoices = ({ desk }: { desk: Desk }) => (
  <fieldset>
    <legend>Groups</legend>
    {desk.groups.map(({ id, name }) => (
      <Choice key={id} value={`group:${id}`} name={name} hint={groupStatusOf(desk, id)} />
    ))}
    <Choice value="any" name="Any free agent" hint="of those the chat is open to" />
  </fieldset>
)

interface ChoiceProps {
  value: string
  name: string
  isBot?: boolean | undefined
  hint: string
}

const Choice = ({ value, name, isBot, hint }: ChoiceProps) => (
  <label class="choice">
    <input type="radio" name="target" value={value} required />
    <span>
      <Name isBot={isBot}>{name}</Name> <small>{hint}</small>
    </span>
  </label>
)

/** Reads a choice of the dialog as a target; undefined: whoever is free. */
const targetOf = (chosen: string): Target => {
  const [kind, id = ''] = chosen.split(/:(.*)/su)
  if (kind === 'group') return { type: 'group', ids: [Number(id)] }
  return kind === 'agent' ? { type: 'agent', ids: [id] } : undefined
}

/** Says why the server refused: by its details, where it has any. */
const inWords = (error: unknown): readonly string[] => {
  if (!(error instanceof ChatError)) return [String(error)]
  const details = error.details.map(({ message }) => message)
  return details.length > 0 ? details : [error.message]
}
