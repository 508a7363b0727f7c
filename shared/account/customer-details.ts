import { unnamed } from '../chat/view/wire-objects.ts'
import {
  type CardDetails,
  type CustomerDetails as Asked,
  customerPropertiesFault,
} from '../protocol/customer-fields.ts'
import type { Myself } from '../protocol/customer-objects.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { utf8Bytes } from '../protocol/fields.ts'
import { type CustomerDetails, type CustomerItem, pageViewsOf, type Visit } from '../table/customers.ts'
import type { Visitor } from '../table/sockets.ts'

const mostPages = 20
// so that a customer stays a small item, whatever its pages are called
const mostPagesBytes = 8192

const nothing: CustomerDetails = { properties: {}, visits: 0 }

/** Whether a customer says anything of itself. */
export const saysSomething = (asked: Asked | undefined): boolean =>
  asked !== undefined && Object.values(asked).some((value) => value !== undefined)

/**
 * A customer's details with what it says now merged into them. `opens`: a visit begins, as it does with
 * the first tab. Throws `validation` where its properties would be too many, or too large.
 */
export const mergedDetails = (
  before: CustomerDetails | undefined,
  asked: Asked | undefined,
  { visitor, nowMs, opens }: { visitor: Visitor; nowMs: number; opens: boolean },
): CustomerDetails => {
  const { visit, visits } = before ?? nothing
  const nowS = Math.floor(nowMs / 1000)
  const isNew = opens || visit === undefined
  const from = isNew ? { started_timestamp: nowS, pages: [] } : visit
  const lastVisit = isNew ? visit?.started_timestamp : before?.last_visit
  return {
    ...mergedCard(before ?? nothing, asked),
    visits: visits + (isNew ? 1 : 0),
    visit: visited(from, asked?.monitoring, visitor, nowS),
    page_views: pageViewsOf(before ?? nothing) + (opensPage(from, asked?.monitoring) ? 1 : 0),
    ...(lastVisit === undefined ? {} : { last_visit: lastVisit }),
  }
}

/** The same of what an agent knows better: the customer's visits stay as they are. */
export const mendedDetails = (before: CustomerDetails, asked: CardDetails): CustomerDetails => {
  const { name: _, email: __, properties: ___, ...visits } = before
  return { ...visits, ...mergedCard(before, asked) }
}

const mergedCard = (
  before: CustomerDetails,
  asked: CardDetails | undefined,
): Pick<CustomerDetails, 'name' | 'email' | 'properties'> => {
  // an empty one, which agents alone may ask for, is none
  const [name, email] = [
    (asked?.name ?? before.name) || undefined,
    (asked?.email ?? before.email) || undefined,
  ]
  return {
    properties: mergedProperties(before.properties, asked?.properties),
    ...(name === undefined ? {} : { name }),
    ...(email === undefined ? {} : { email }),
  }
}

const mergedProperties = (
  before: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string | null>> = {},
): Record<string, string> => {
  const all = new Map<string, string>(Object.entries(before))
  for (const [name, value] of Object.entries(change)) {
    if (value === null) all.delete(name)
    else all.set(name, value)
  }
  const properties = Object.fromEntries(all)
  const message = customerPropertiesFault(properties)
  if (message !== undefined)
    throw new ProtocolError('validation', { details: [{ path: 'payload.customer.properties', message }] })
  return properties
}

/** A visit as it goes on: where it is by now, and from where it came at its beginning. */
const visited = (
  visit: Visit,
  asked: Asked['monitoring'],
  { ip, user_agent }: Visitor,
  nowS: number,
): Visit => {
  const { page, timezone } = asked ?? { page: undefined, timezone: undefined }
  const referrer = visit.referrer ?? page?.referrer
  const zone = timezone ?? visit.timezone
  return {
    started_timestamp: visit.started_timestamp,
    pages: withPage(visit.pages, page, nowS),
    ...(referrer ? { referrer } : {}),
    ip,
    ...(user_agent === undefined ? {} : { user_agent }),
    ...(zone === undefined ? {} : { timezone: zone }),
  }
}

type Page = NonNullable<NonNullable<Asked['monitoring']>['page']>

/** Whether a page is opened that is not open already: another one than the last. */
const opensPage = ({ pages }: Pick<Visit, 'pages'>, asked: Asked['monitoring']): boolean =>
  asked?.page?.url !== undefined && asked.page.url !== pages.at(-1)?.url

const withPage = (pages: Visit['pages'], page: Page | undefined, nowS: number): Visit['pages'] => {
  if (page?.url === undefined) return pages
  const { url, title } = page
  const last = pages.at(-1)
  const isSame = last?.url === url
  const opened = {
    url,
    ...(title === undefined ? {} : { title }),
    opened_timestamp: isSame ? last.opened_timestamp : nowS,
  }
  const all = [...(isSame ? pages.slice(0, -1) : pages), opened].slice(-mostPages)
  while (all.length > 1 && utf8Bytes(JSON.stringify(all)) > mostPagesBytes) all.shift()
  return all
}

// the table keeps no order of properties
const comparable = ({ name, email, properties }: CustomerDetails) => [
  name,
  email,
  Object.entries(properties).toSorted(([a], [b]) => (a < b ? -1 : 1)),
]

/** Whether a customer is shown the same of itself. */
export const isSameToItself = (one: CustomerDetails, other: CustomerDetails): boolean =>
  JSON.stringify(comparable(one)) === JSON.stringify(comparable(other))

export const areSameDetails = (one: CustomerDetails, other: CustomerDetails): boolean =>
  isSameToItself(one, other) &&
  JSON.stringify([one.visit, one.visits]) === JSON.stringify([other.visit, other.visits])

/** A customer as it is shown to itself. */
export const myself = ({
  id,
  name,
  email,
  properties,
}: Pick<CustomerItem, 'id' | 'name' | 'email' | 'properties'>): Myself => ({
  id,
  type: 'customer',
  name: name ?? unnamed,
  email,
  properties: Object.keys(properties).length > 0 ? properties : undefined,
})
