import { useState } from 'preact/hooks'
import type { Desk } from './desk-state.ts'
import { Chip } from './parts.tsx'

/** The tags of a thread, which agents give and take. */
export const Tags = ({
  desk,
  at,
  tags = [],
}: {
  desk: Desk
  at: { chat_id: string; thread_id: string }
  tags?: readonly string[] | undefined
}) => {
  const [tag, setTag] = useState('')
  const add = (): void => {
    void desk.run('The thread was not tagged', () => desk.client.request('tag_thread', { ...at, tag }))
    setTag('')
  }
  const remove = (gone: string) =>
    void desk.run('The tag was not taken away', () =>
      desk.client.request('untag_thread', { ...at, tag: gone }),
    )
  return (
    <section>
      <h4>Tags of the thread</h4>
      <ul class="chips">
        {tags.map((one) => (
          <Chip key={one} label={one} onRemove={() => remove(one)} />
        ))}
      </ul>
      <form
        class="inline"
        onSubmit={(event) => {
          event.preventDefault()
          add()
        }}
      >
        <input
          aria-label="New tag"
          placeholder="Tag"
          value={tag}
          onInput={({ currentTarget: { value } }) => setTag(value)}
        />
        <button type="submit" class="small" disabled={tag === ''}>
          Tag
        </button>
      </form>
    </section>
  )
}
