import { useState } from 'preact/hooks'
import type { Desk, DeskUser } from './desk-state.ts'
import { Avatar, Dialog, Field, Name, valuesOf } from './parts.tsx'
import { dayAndTime } from './texts.tsx'

type Customer = DeskUser & { type: 'customer' }

/** The customer's card: who and where it is, and whether it is banned. */
export const CustomerCard = ({ desk, customer }: { desk: Desk; customer: Customer }) => {
  const [asksDays, setAsksDays] = useState(false)
  const [mends, setMends] = useState(false)
  const { id, name, email, banned } = customer
  // who is banned is disconnected, and no push says so
  const online = customer.online && !banned
  const unban = () =>
    void desk.run('The ban was not lifted', () => desk.client.request('unban_customer', { customer_id: id }))
  return (
    <section class="customer">
      <header>
        <Avatar name={name} kind="customer" />
        <h4>
          <Name>{name}</Name>
          <small dir="auto">{email ?? 'No e-mail'}</small>
        </h4>
      </header>
      <p class="states">
        <b class={online ? 'state good' : 'state'}>{online ? 'Online' : 'Offline'}</b>
        {banned && <b class="state bad">Banned</b>}
      </p>
      <Facts customer={customer} />
      <button type="button" class="small" onClick={() => setMends(true)}>
        Mend…
      </button>
      <button type="button" class="small" onClick={banned ? unban : () => setAsksDays(true)}>
        {banned ? 'Lift the ban' : 'Ban…'}
      </button>
      {mends && <MendDialog desk={desk} customer={customer} onClose={() => setMends(false)} />}
      {asksDays && <BanDialog desk={desk} customer={customer} onClose={() => setAsksDays(false)} />}
    </section>
  )
}

type Fact = readonly [label: string, value: string | number | undefined]

const Facts = ({ customer: { monitoring, properties = {} } }: { customer: Customer }) => {
  const page = monitoring?.current_visit.pages.at(-1)
  return (
    <>
      <FactList
        facts={[
          ['Page', page?.title ?? page?.url],
          ['Came from', monitoring?.referrer],
          ['Visits', monitoring?.stats.visits],
          ['Chats', monitoring?.stats.threads],
          ...Object.entries(properties),
        ]}
      />
      {monitoring !== undefined && (
        <details>
          <summary>More</summary>
          <FactList
            facts={[
              ['Here since', dayAndTime(monitoring.current_visit.start)],
              ['Pages seen', monitoring.stats.page_views],
              ['Time zone', monitoring.geolocation?.timezone],
              ['Address', monitoring.ip],
              ['Browser', monitoring.user_agent],
            ]}
          />
        </details>
      )}
    </>
  )
}

const FactList = ({ facts }: { facts: readonly Fact[] }) => (
  <dl class="properties">
    {facts.map(
      ([label, value]) =>
        value !== undefined && (
          <div key={label}>
            <dt dir="auto">{label}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ),
    )}
  </dl>
)

const MendDialog = ({ desk, customer, onClose }: { desk: Desk; customer: Customer; onClose: () => void }) => (
  <Dialog title="Mend the customer's card" onClose={onClose}>
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const value = valuesOf(event.currentTarget)
        // who has told no name is shown another one
        const changed = (field: 'name' | 'email') =>
          value(field) === (customer[field] ?? '') ? undefined : value(field)
        const details = { name: changed('name'), email: changed('email') }
        onClose()
        void desk.run('The customer was not changed', () =>
          desk.client.request('update_customer', { customer_id: customer.id, customer: details }),
        )
      }}
    >
      <Field label="Name">
        <input name="name" dir="auto" defaultValue={customer.name} />
      </Field>
      <Field label="E-mail">
        <input name="email" defaultValue={customer.email ?? ''} />
      </Field>
      <button type="submit" class="primary">
        Save
      </button>
    </form>
  </Dialog>
)

const BanDialog = ({ desk, customer, onClose }: { desk: Desk; customer: Customer; onClose: () => void }) => (
  <Dialog title="Ban this customer" onClose={onClose}>
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const days = Number(valuesOf(event.currentTarget)('days'))
        void desk.run('The customer was not banned', () =>
          desk.client.request('ban_customer', { customer_id: customer.id, ban: { days } }),
        )
        onClose()
      }}
    >
      <p>
        <Name>{customer.name}</Name> is disconnected, the chat is closed, and neither comes back until the ban
        is over or lifted.
      </p>
      <Field label="Days">
        <input name="days" type="number" min={1} max={3650} defaultValue={7} required />
      </Field>
      <button type="submit" class="primary danger">
        Ban
      </button>
    </form>
  </Dialog>
)
