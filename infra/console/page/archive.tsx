import { useState } from 'preact/hooks'
import type { AgentEndpoint } from '../../../shared/client/client.ts'
import type { Desk } from './desk-state.ts'
import { Field, Name, valuesOf } from './parts.tsx'
import { Time } from './texts.tsx'

type Search = AgentEndpoint['actions']['get_archives']
type Filters = NonNullable<Search['request']['filters']>

const pageSize = 20

/** The archive: every thread that the agent may see, found by what was said in it, by whom, and when. */
export const Archive = ({ desk, onOpen }: { desk: Desk; onOpen: (chat: string, thread: string) => void }) => {
  const [found, setFound] = useState<{ answer: Search['answer']; filters: Filters; page: number }>()
  const [isSearching, setIsSearching] = useState(false)
  const search = async (filters: Filters, page: number): Promise<void> => {
    setIsSearching(true)
    const result = await desk.run('The search failed', () =>
      desk.client.request('get_archives', { filters, pagination: { page, limit: pageSize } }),
    )
    setIsSearching(false)
    if (result !== undefined) setFound({ answer: result.answer, filters, page })
  }
  return (
    <>
      <SearchForm desk={desk} onSearch={(filters) => void search(filters, 1)} />
      <p class="found" role="status">
        {isSearching
          ? 'Searching…'
          : found === undefined
            ? 'Words, dates, agents, groups and properties narrow it down.'
            : found.answer.pagination.total === 0
              ? 'Nothing found.'
              : `${found.answer.pagination.total} found`}
      </p>
      {found !== undefined && (
        <>
          <ul class="list">
            {found.answer.chats.map(({ chat }) => (
              <li key={chat.thread.id}>
                <Result chat={chat} onOpen={onOpen} isOpen={desk.open?.chat === chat.id} />
              </li>
            ))}
          </ul>
          <Pages {...found} onPage={(page) => void search(found.filters, page)} />
        </>
      )}
    </>
  )
}

const Pages = ({
  answer,
  page,
  onPage,
}: {
  answer: Search['answer']
  page: number
  onPage: (page: number) => void
}) => {
  const pages = Math.ceil(answer.pagination.total / pageSize)
  if (pages < 2) return null
  return (
    <p class="pages">
      <button type="button" class="small" disabled={page === 1} onClick={() => onPage(page - 1)}>
        Newer
      </button>
      {page} of {pages}
      <button type="button" class="small" disabled={page >= pages} onClick={() => onPage(page + 1)}>
        Older
      </button>
    </p>
  )
}

const SearchForm = ({ desk, onSearch }: { desk: Desk; onSearch: (filters: Filters) => void }) => (
  <form
    class="search"
    role="search"
    onSubmit={(event) => {
      event.preventDefault()
      onSearch(filtersOf(valuesOf(event.currentTarget)))
    }}
  >
    <Field label="Words">
      <input name="query" type="search" />
    </Field>
    <details>
      <summary>More filters</summary>
      <Field label="From">
        <input name="from" type="date" />
      </Field>
      <Field label="To">
        <input name="to" type="date" />
      </Field>
      <Field label="Agent">
        <select name="agent">
          <option value="">Anyone</option>
          {desk.colleagues.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Group">
        <select name="group">
          <option value="">Any</option>
          {desk.groups.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </select>
      </Field>
      <Field label="Thread property, as rating.score=1">
        <input name="property" placeholder="namespace.name=value" />
      </Field>
    </details>
    <button type="submit" class="primary">
      Search
    </button>
  </form>
)

const filtersOf = (value: (name: string) => string): Filters => {
  const [, property, wanted] = /^([^=]+)(?:=(.*))?$/u.exec(value('property')) ?? []
  return {
    ...(value('query') && { query: value('query') }),
    ...(value('from') && { date_from: value('from') }),
    ...(value('to') && { date_to: value('to') }),
    ...(value('agent') && { agent_ids: [value('agent')] }),
    ...(value('group') && { team_ids: [Number(value('group'))] }),
    ...(property && {
      properties: {
        [property.trim()]: wanted === undefined ? { exists: true } : { values: [propertyValueOf(wanted)] },
      },
    }),
  }
}

/** A property's value as it is typed: a number, a boolean or a text. */
export const propertyValueOf = (text: string): string | number | boolean => {
  if (/^-?\d{1,15}$/u.test(text)) return Number(text)
  return text === 'true' ? true : text === 'false' ? false : text
}

type Found = Search['answer']['chats'][number]['chat']

const Result = ({
  chat,
  isOpen,
  onOpen,
}: {
  chat: Found
  isOpen: boolean
  onOpen: (chat: string, thread: string) => void
}) => {
  const customer = chat.users.find(({ type }) => type === 'customer')
  const said = chat.thread.events.find(({ type }) => type === 'message')
  const title = customer?.name ?? chat.users.map(({ name }) => name).join(', ')
  return (
    <button
      type="button"
      aria-current={isOpen ? 'true' : undefined}
      onClick={() => onOpen(chat.id, chat.thread.id)}
    >
      <span class="summary">
        <Name>{title}</Name>
        <Time at={chat.thread.timestamp} />
        <span class="preview" dir="auto">
          {said?.type === 'message' ? said.text : 'No message'}
        </span>
        {chat.thread.active && <b class="active">Active</b>}
      </span>
    </button>
  )
}
