import { useState } from 'preact/hooks'
import { useChanges } from './changes.ts'
import type { Frame, Wire } from './wire.ts'

const clock = (at: Date): string => at.toISOString().slice(11, 23)

const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}

const lineOf = ({ way, text }: Frame): string => `${way === 'sent' ? '→' : '←'} ${text}`

/** The frames that go over the wire, both ways, the newest first. */
export const FramesPanel = ({ wire, label }: { wire: Wire; label: string }) => {
  useChanges(wire.changes)
  const [hidesPings, setHidesPings] = useState(true)
  const [copied, setCopied] = useState('')
  const shown = wire.frames.filter(({ action }) => !hidesPings || action !== 'ping')
  const copy = async (text: string): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied('Copied')
    } catch (error) {
      setCopied(`Not copied: ${String(error)}`)
    }
  }
  return (
    <section class="frames" aria-label={`Frames of ${label}`}>
      <header>
        <h3>Frames</h3>
        <label class="check">
          <input type="checkbox" checked={hidesPings} onChange={() => setHidesPings(!hidesPings)} />
          Hide pings
        </label>
        <span role="status">{copied}</span>
        <button type="button" class="small" onClick={() => void copy(shown.map(lineOf).join('\n'))}>
          Copy all
        </button>
        <button type="button" class="small" onClick={wire.forget}>
          Clear
        </button>
      </header>
      {shown.length === 0 && <p class="empty">Nothing has gone over the wire yet.</p>}
      <ol tabIndex={0} aria-label="Frames, the newest first">
        {shown.toReversed().map((frame) => (
          <FrameRow key={frame.id} frame={frame} onCopy={(text) => void copy(text)} />
        ))}
      </ol>
    </section>
  )
}

const FrameRow = ({ frame, onCopy }: { frame: Frame; onCopy: (text: string) => void }) => {
  const [isOpen, setIsOpen] = useState(false)
  const { at, way, action, text } = frame
  return (
    <li class={way}>
      <button type="button" aria-expanded={isOpen} onClick={() => setIsOpen(!isOpen)}>
        <span class="way">{way === 'sent' ? '→ sent' : '← got'}</span>
        <b>{action}</b>
        <code>{text.slice(0, 200)}</code>
        <time>{clock(at)}</time>
      </button>
      {isOpen && (
        <div class="frame">
          <pre tabIndex={0} aria-label={`Frame ${action}`}>
            {pretty(text)}
          </pre>
          <button type="button" class="small" onClick={() => onCopy(text)}>
            Copy
          </button>
        </div>
      )}
    </li>
  )
}
