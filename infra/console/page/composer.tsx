import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'

interface ComposerProps {
  label: string
  /** The reason why nothing can be written. */
  disabled?: string | undefined
  /** Resolves to whether the text was sent; one that was not comes back. */
  onSend: (text: string) => Promise<boolean>
  onType: (text: string) => void
  children?: ComponentChildren
}

/** The field in which one writes: Enter sends, Shift and Enter begin a line. */
export const Composer = ({ label, disabled, onSend, onType, children }: ComposerProps) => {
  const [text, setText] = useState('')
  const field = useRef<HTMLTextAreaElement>(null)
  const type = (next: string): void => {
    setText(next)
    onType(next)
  }
  const send = async (): Promise<void> => {
    if (text.trim() === '' || disabled !== undefined) return
    type('')
    field.current?.focus()
    if (!(await onSend(text))) setText((now) => (now === '' ? text : now))
  }
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault()
        void send()
      }}
    >
      {children}
      <div class="row">
        <textarea
          ref={field}
          rows={2}
          aria-label={label}
          placeholder={disabled ?? label}
          disabled={disabled !== undefined}
          dir="auto"
          value={text}
          onInput={({ currentTarget }) => type(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
            event.preventDefault()
            void send()
          }}
        />
        <button type="submit" class="primary" disabled={disabled !== undefined || text.trim() === ''}>
          Send
        </button>
      </div>
    </form>
  )
}
