import { useState } from 'preact/hooks'
import { valuesOf } from './parts.tsx'
import type { Widget } from './widget-state.ts'

/** The form that rates a chat, also after its end: an annotation with the property `rating.score`, 1 or 0. */
export const Rating = ({ widget, chat }: { widget: Widget; chat: string }) => {
  const [score, setScore] = useState<0 | 1>()
  const rate = async (text: string): Promise<void> => {
    await widget.run('The rating was not sent', () =>
      widget.client.request('send_event', {
        chat_id: chat,
        event: {
          type: 'annotation',
          annotation_type: 'rating',
          ...(text && { text }),
          properties: { rating: { score: score ?? 1 } },
        },
      }),
    )
    setScore(undefined)
  }
  return (
    <form
      class="rating"
      onSubmit={(event) => {
        event.preventDefault()
        void rate(valuesOf(event.currentTarget)('comment'))
      }}
    >
      <span>Rate this chat</span>
      <button type="button" class="small" aria-pressed={score === 1} onClick={() => setScore(1)}>
        Good
      </button>
      <button type="button" class="small" aria-pressed={score === 0} onClick={() => setScore(0)}>
        Bad
      </button>
      {score !== undefined && (
        <>
          <input name="comment" aria-label="Comment" placeholder="Why? (not needed)" dir="auto" />
          <button type="submit" class="small primary">
            Rate
          </button>
        </>
      )}
    </form>
  )
}
