import type { VNode } from 'preact'
import type { Event } from '../../../shared/protocol/events.ts'
import { Name } from './parts.tsx'
import { Linked, Time } from './texts.tsx'

export interface Person {
  id: string
  type: 'agent' | 'supervisor' | 'customer'
  name: string
  present: boolean
  last_seen_timestamp?: number | undefined
  /** Of agents. */
  is_bot?: boolean | undefined
}

interface EventProps {
  event: Event
  me: string
  author: string
  isBot: boolean
}

/** One event of a thread, whatever it is of. Texts are text: nothing of them is read as HTML. */
export const EventView = ({ event, me, author, isBot }: EventProps) => {
  if (event.type === 'system_message')
    return (
      <li class="system">
        <span dir="auto">{event.text}</span> <Time at={event.timestamp} />
      </li>
    )
  if (event.type === 'annotation')
    return (
      <li class="annotation">
        <Annotation event={event} author={<Name isBot={isBot}>{author}</Name>} />
      </li>
    )
  const isNote = event.recipients === 'agents'
  const kind = event.author_id === me ? 'own' : 'other'
  return (
    <li class={`said ${kind}${isNote ? ' note' : ''}`}>
      <span class="by">
        <Name isBot={isBot}>{event.author_id === me ? 'You' : author}</Name>
        {isNote && <em>Note, for agents only</em>}
        <Time at={event.timestamp} />
      </span>
      <Said event={event} />
    </li>
  )
}

const Said = ({ event }: { event: Event }) => {
  switch (event.type) {
    case 'filled_form':
      return (
        <dl class="bubble form">
          {event.fields.map(({ name, label, value, options }) => (
            <div key={name}>
              <dt dir="auto">{label}</dt>
              <dd dir="auto">{answerOf(value, options)}</dd>
            </div>
          ))}
        </dl>
      )
    case 'custom':
      return (
        <pre class="bubble" tabIndex={0} aria-label="Custom event">
          {JSON.stringify(event.content, null, 2)}
        </pre>
      )
    case 'message':
    case 'annotation':
    case 'system_message':
      return (
        <p class="bubble" dir="auto">
          <Linked text={event.text ?? ''} />
        </p>
      )
  }
}

type Options = readonly { label: string; checked?: boolean | undefined }[]

const answerOf = (value: string | number | boolean | undefined, options: Options = []): string => {
  if (value !== undefined) return String(value)
  const chosen = options.filter(({ checked }) => checked === true).map(({ label }) => label)
  return chosen.length > 0 ? chosen.join(', ') : '–'
}

const Annotation = ({ event, author }: { event: Event & { type: 'annotation' }; author: VNode }) => {
  const score = event.properties?.['rating']?.['score']?.value
  const rated = score === 1 ? 'good' : score === 0 ? 'bad' : undefined
  return (
    <>
      <span>
        {author}{' '}
        {event.annotation_type === 'rating' && rated !== undefined ? (
          <>
            rated the chat <strong>{rated}</strong>
          </>
        ) : (
          <>
            annotated: <bdi>{event.annotation_type}</bdi>
          </>
        )}{' '}
        <Time at={event.timestamp} />
      </span>
      {event.text !== undefined && <q dir="auto">{event.text}</q>}
    </>
  )
}
