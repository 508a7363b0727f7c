import { answersOf } from './check-answers.ts'
import { type Check, checking } from './history.ts'
import { tagsOf } from './stored-log.ts'

/** Each tag of a run is given once, and asked back by those alone who were answered that it was given. */
export const tagsAreKept: Check = checking('a tag that was given stands until it is taken', (history, on) => {
  const outcomes = answersOf(history)
  const stored = tagsOf(history.quiet.items)
  const asked = (name: string) =>
    history.requests.flatMap(({ action, payload }, index) =>
      action === name ? [{ payload, kind: outcomes[index]?.kind }] : [],
    )
  const nameOf = ({ thread_id, tag }: any) => `${thread_id} ${tag}`
  const takings = asked('untag_thread')
  const wanted = new Set(takings.map(({ payload }) => nameOf(payload)))
  for (const { payload, kind } of asked('tag_thread')) {
    if (kind !== 'success' || wanted.has(nameOf(payload))) continue
    on.count()
    if (!stored.has(nameOf(payload))) on.say(`${nameOf(payload)} was given and is not stored`)
  }
  for (const { payload, kind } of takings) {
    if (kind !== 'success') continue
    on.count()
    if (stored.has(nameOf(payload))) on.say(`${nameOf(payload)} was taken and is stored`)
  }
})
