import { propertyValueOf } from './archive.tsx'
import { Field, valuesOf } from './parts.tsx'

type Held = Record<string, Record<string, { value: unknown }>> | undefined
type Change = Record<string, Record<string, string | number | boolean | null>>

/** Properties of a chat or a thread, which can be set and removed; `routing` is the server's own. */
export const Properties = ({
  title,
  properties,
  onChange,
}: {
  title: string
  properties: Held
  onChange: (change: Change) => void
}) => {
  const rows = Object.entries(properties ?? {}).flatMap(([space, named]) =>
    Object.entries(named).map(([name, { value }]) => ({ space, name, value })),
  )
  return (
    <section>
      <h4>{title}</h4>
      {rows.length === 0 && <p class="hint">None</p>}
      <dl class="properties">
        {rows.map(({ space, name, value }) => (
          <div key={`${space}.${name}`}>
            <dt dir="auto">
              {space}.{name}
            </dt>
            <dd dir="auto">{String(value)}</dd>
            {space !== 'routing' && (
              <dd>
                <button
                  type="button"
                  class="small quiet"
                  aria-label={`Remove ${space}.${name}`}
                  onClick={() => onChange({ [space]: { [name]: null } })}
                >
                  ×
                </button>
              </dd>
            )}
          </div>
        ))}
      </dl>
      <SetProperty onChange={onChange} />
    </section>
  )
}

const SetProperty = ({ onChange }: { onChange: (change: Change) => void }) => (
  <details>
    <summary>Set a property</summary>
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const value = valuesOf(event.currentTarget)
        onChange({ [value('space')]: { [value('name')]: propertyValueOf(value('value')) } })
      }}
    >
      <Field label="Namespace">
        <input name="space" required />
      </Field>
      <Field label="Name">
        <input name="name" required />
      </Field>
      <Field label="Value">
        <input name="value" />
      </Field>
      <button type="submit" class="small">
        Set
      </button>
    </form>
  </details>
)
