import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import { useChanges } from './changes.ts'
import type { Session } from './session.ts'

/** A name as somebody has chosen it, which cannot turn the text around it; a bot's says that it is one. */
export const Name = ({ isBot, children }: { isBot?: boolean | undefined; children: ComponentChildren }) => {
  const name = <bdi class="name">{children}</bdi>
  if (isBot !== true) return name
  return (
    <span>
      {name} <b class="state">bot</b>
    </span>
  )
}

/** The first letters of a name, before it. */
export const Avatar = ({ name, kind }: { name: string; kind: 'agent' | 'customer' | 'supervisor' }) => (
  <span class={`avatar ${kind}`} aria-hidden="true">
    {initials(name)}
  </span>
)

const initials = (name: string): string =>
  name
    .split(/\s+/u)
    .slice(0, 2)
    .map((word) => String.fromCodePoint(word.codePointAt(0) ?? 32).toUpperCase())
    .join('')

const lights = {
  online: ['good', 'Online'],
  connecting: ['wait', 'Connecting…'],
  waiting: ['wait', 'Reconnecting…'],
  closed: ['bad', 'Closed'],
} as const

/** The light of a connection: how it is; after a reconnect, whether anything is missing. */
export const Light = ({ session }: { session: Session }) => {
  useChanges(session.changes)
  useChanges(session.wire.changes)
  const { state, recovered, ended, wire } = session
  const [kind, text] = lights[state]
  const found = { all: 'Recovered: nothing is missing', anew: 'Recovered: started over' }
  const said =
    state === 'online' && recovered !== undefined
      ? found[recovered]
      : state !== 'online' && state !== 'closed' && wire.isCut
        ? 'Line cut, reconnecting…'
        : text
  return (
    <span class={`light ${kind}`} role="status" title={ended}>
      {said}
    </span>
  )
}

/** The button that cuts the line, to show how it recovers. */
export const CutButton = ({ session }: { session: Session }) => {
  useChanges(session.wire.changes)
  const { isCut, cut, mend } = session.wire
  return (
    <button type="button" class={isCut ? 'small warn' : 'small'} onClick={isCut ? mend : cut}>
      {isCut ? 'Mend the line' : 'Cut the line'}
    </button>
  )
}

export const Notices = ({ session }: { session: Session }) => {
  useChanges(session.changes)
  return (
    <div class="notices" role="alert">
      {session.notices.map(({ id, isError, title, details }) => (
        <div key={id} class={isError ? 'notice bad' : 'notice'}>
          <div>
            <strong>{title}</strong>
            {details.map((detail) => (
              <p key={detail} dir="auto">
                {detail}
              </p>
            ))}
          </div>
          <button type="button" class="small quiet" onClick={() => session.dismiss(id)}>
            Dismiss
          </button>
        </div>
      ))}
    </div>
  )
}

/** A dialog over the page: Escape closes it, and the focus returns to where it was. */
export const Dialog = ({
  title,
  onClose,
  children,
}: {
  title: string
  onClose: () => void
  children: ComponentChildren
}) => {
  const element = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => element.current?.showModal(), [])
  return (
    <dialog ref={element} aria-labelledby={id} onClose={onClose}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="small quiet" onClick={() => element.current?.close()}>
          Close
        </button>
      </header>
      {children}
    </dialog>
  )
}

/** A labelled field of a form. */
export const Field = ({ label, children }: { label: string; children: ComponentChildren }) => (
  <label class="field">
    <span>{label}</span>
    {children}
  </label>
)

/** The values of a form, by the names of its fields. */
export const valuesOf = (form: EventTarget | null): ((name: string) => string) => {
  const data = form instanceof HTMLFormElement ? new FormData(form) : new FormData()
  return (name) => {
    const value = data.get(name)
    return typeof value === 'string' ? value.trim() : ''
  }
}

/** A short name that can be taken away. */
export const Chip = ({ label, onRemove }: { label: string; onRemove: () => void }) => (
  <li>
    <Name>{label}</Name>
    <button type="button" aria-label={`Remove ${label}`} onClick={onRemove}>
      ×
    </button>
  </li>
)
