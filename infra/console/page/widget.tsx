import { useEffect, useState } from 'preact/hooks'
import { useChanges } from './changes.ts'
import { Composer } from './composer.tsx'
import { FramesPanel } from './frames-panel.tsx'
import { paced } from './pace.ts'
import { CutButton, Field, Light, Name, Notices, valuesOf } from './parts.tsx'
import { OwnPlace } from './queue.tsx'
import { Rating } from './rating.tsx'
import { newestOfOthers, useMarking } from './seen.ts'
import { ThreadView } from './thread-view.tsx'
import { openWidget, type Widget } from './widget-state.ts'

interface WidgetProps {
  url: string
  license: string
  visitor: number
  onClose: () => void
}

/** A customer's widget, as it would stand on a page. */
export const WidgetPanel = ({ url, license, visitor, onClose }: WidgetProps) => {
  const [widget, setWidget] = useState(() => openWidget(url, license, visitor))
  useEffect(() => () => widget.client.close(), [widget])
  const [showsFrames, setShowsFrames] = useState(false)
  const label = `visitor ${visitor}`
  return (
    <>
      <header class="panel-head">
        <h2>Visitor {visitor}</h2>
        <Light session={widget} />
        <span class="actions">
          <button
            type="button"
            class="small"
            aria-pressed={showsFrames}
            onClick={() => setShowsFrames(!showsFrames)}
          >
            Frames
          </button>
          <CutButton session={widget} />
          <button
            type="button"
            class="small"
            onClick={() => {
              widget.forget()
              setWidget(openWidget(url, license, visitor))
            }}
          >
            Forget me
          </button>
          <button type="button" class="small" onClick={onClose}>
            Leave
          </button>
        </span>
      </header>
      <Notices session={widget} />
      <WidgetBody key={visitor} widget={widget} />
      {showsFrames && <FramesPanel wire={widget.wire} label={label} />}
    </>
  )
}

const WidgetBody = ({ widget }: { widget: Widget }) => {
  useChanges(widget.changes)
  const chat = widget.chat()
  const thread = chat?.threads.at(-1)
  const isActive = thread?.active === true
  const agents = chat?.users.filter(({ type, present }) => type === 'agent' && present) ?? []
  if (widget.me === undefined) return <p class="empty">{widget.ended ?? 'Connecting…'}</p>
  if (chat === undefined) return <StartForm widget={widget} isKnown={false} />
  return (
    <div class="widget">
      <header>
        <strong>
          {agents.length === 0
            ? isActive
              ? 'Waiting for an agent'
              : 'This chat is closed'
            : agents.map(({ id, name }) => <Name key={id}>{name}</Name>)}
        </strong>
        {isActive && (
          <button
            type="button"
            class="small"
            onClick={() =>
              void widget.run('The chat was not closed', () =>
                widget.client.request('close_thread', { chat_id: chat.id }),
              )
            }
          >
            End chat
          </button>
        )}
        {thread?.queue !== undefined && <OwnPlace queue={thread.queue} />}
      </header>
      <WidgetThread widget={widget} chat={chat} />
      {isActive ? <Writer widget={widget} chat={chat.id} /> : <StartForm widget={widget} isKnown />}
      <Rating widget={widget} chat={chat.id} />
    </div>
  )
}

type Chat = NonNullable<ReturnType<Widget['chat']>>

const WidgetThread = ({ widget, chat }: { widget: Widget; chat: Chat }) => {
  const me = widget.me ?? ''
  useMarking(newestOfOthers(chat, me), (event_id) => {
    void widget.run('The chat is not marked as seen', () =>
      widget.client.request('mark_event_as_seen', { chat_id: chat.id, event_id }),
    )
  })
  return (
    <ThreadView
      threads={widget.history.threads()}
      users={chat.users}
      me={me}
      nameOf={(id) => chat.users.find((user) => user.id === id)?.name ?? 'Somebody'}
      hasOlder={widget.history.hasOlder()}
      onOlder={() => void widget.run('Older messages cannot be read', widget.history.older)}
      pending={widget.pending}
      writing={widget.writing.get(chat.id)}
    />
  )
}

const peekMs = 1000
const typingMs = 4000

const Writer = ({ widget, chat }: { widget: Widget; chat: string }) => {
  const { client } = widget
  const [tell] = useState(() => ({
    peek: paced((sneak_peek_text: string) => {
      if (widget.state === 'online')
        void widget.run('The text is not shown ahead', () =>
          client.request('send_sneak_peek', { chat_id: chat, sneak_peek_text }),
        )
    }, peekMs),
    typing: paced((is_typing: boolean) => {
      if (widget.state === 'online')
        void widget.run('Typing is not shown', () =>
          client.request('send_typing_indicator', { chat_id: chat, is_typing }),
        )
    }, typingMs),
  }))
  const send = (text: string): Promise<boolean> => {
    const custom_id = crypto.randomUUID()
    return widget.send({ customId: custom_id, chat, text }, () =>
      client.request('send_event', { chat_id: chat, event: { type: 'message', text, custom_id } }),
    )
  }
  return (
    <Composer
      label="Your message"
      onSend={send}
      onType={(text) => {
        tell.peek(text)
        tell.typing(text !== '')
      }}
    />
  )
}

/** The form that begins a chat, or its next conversation. Fields that are filled in go along as a form. */
const StartForm = ({ widget, isKnown }: { widget: Widget; isKnown: boolean }) => {
  const start = (value: (name: string) => string): void => {
    const [name, email, text] = [value('name'), value('email'), value('text')]
    const fields = [
      { type: 'text' as const, name: 'name', label: 'Your name', value: name },
      { type: 'email' as const, name: 'email', label: 'E-mail', value: email },
    ].filter((field) => field.value !== '')
    void widget.run('The chat was not started', async () => {
      if (fields.length > 0)
        await widget.client.request('update_customer', {
          customer: { ...(name && { name }), ...(email && { email }) },
        })
      await widget.client.request('start_chat', {
        chat: {
          thread: {
            events: [
              ...(fields.length > 0 ? [{ type: 'filled_form' as const, fields }] : []),
              { type: 'message', text },
            ],
          },
        },
      })
    })
  }
  return (
    <form
      class="start-form"
      onSubmit={(event) => {
        event.preventDefault()
        start(valuesOf(event.currentTarget))
      }}
    >
      {!isKnown && (
        <>
          <h3>How can we help?</h3>
          <p class="hint">Write to us. Name and e-mail are not needed.</p>
          <Field label="Your name">
            <input name="name" autoComplete="off" />
          </Field>
          <Field label="E-mail">
            <input name="email" type="email" autoComplete="off" />
          </Field>
        </>
      )}
      <Field label="Your message">
        <textarea name="text" rows={isKnown ? 2 : 3} required dir="auto" />
      </Field>
      <button type="submit" class="primary">
        {isKnown ? 'Start a new chat' : 'Start the chat'}
      </button>
    </form>
  )
}
