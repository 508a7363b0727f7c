import { describe, expect, test } from 'vitest'
import * as z from 'zod/mini'
import { mergedDetails } from '../../shared/account/customer-details.ts'
import { CustomerDetails as Asked } from '../../shared/protocol/customer-fields.ts'
import { customerUser } from '../../shared/chat/view/wire-objects.ts'
import { type CustomerDetails, CustomerItem } from '../../shared/table/customers.ts'

interface Page {
  url: string
  title?: string
  referrer?: string
}
const from = { license_id: 'l', ip: '192.0.2.1' }
const startMs = 1_700_000_000_000
/** What is known of a customer after it has opened these pages, one a second. */
const openingFrom = (known: CustomerDetails | undefined, ...pages: Page[]) => {
  let details = known
  for (const [i, page] of pages.entries())
    details = mergedDetails(details, z.parse(Asked, { monitoring: { page } }), {
      visitor: from,
      nowMs: startMs + 1000 * i,
      opens: details === undefined,
    })
  return details
}
const visitOf = (...pages: Page[]) => openingFrom(undefined, ...pages)?.visit
const pagesOf = (...pages: Page[]) => visitOf(...pages)?.pages ?? []
const urls = (...pages: Page[]) => pagesOf(...pages).map(({ url }) => url)
const shop = (n: number, bytes = 0) => `https://shop.example/${n}`.padEnd(bytes, 'x')
const many = <T>(count: number, item: (n: number) => T) =>
  Array.from({ length: count }, (_, i) => item(i + 1))

describe('the pages of a visit', () => {
  test('come with title and time, the newest last', () => {
    expect(pagesOf({ url: shop(1), title: 'One' }, { url: shop(2) })).toEqual([
      { url: shop(1), title: 'One', opened_timestamp: 1_700_000_000 },
      { url: shop(2), opened_timestamp: 1_700_000_001 },
    ])
  })

  test('are the last 20', () => {
    expect(urls(...many(20, (n) => ({ url: shop(n) })))).toEqual(many(20, (n) => shop(n)))
    expect(urls(...many(23, (n) => ({ url: shop(n) })))).toEqual(many(20, (n) => shop(n + 3)))
  })

  test('are fewer where they are long: of a title 512 bytes are kept', () => {
    const titled = many(6, (n) => ({ url: shop(n, 1900), title: 'T'.repeat(1000) }))
    const kept = pagesOf(...titled)
    expect(kept.map(({ url }) => url)).toEqual([4, 5, 6].map((n) => shop(n, 1900)))
    expect(kept[2]?.title).toBe('T'.repeat(512))
  })

  test('count one that is opened again and again once, until another follows; its title may change', () => {
    expect(
      pagesOf(
        { url: shop(1), title: 'One' },
        { url: shop(1), title: 'One' },
        { url: shop(1), title: '(1) One' },
        { url: shop(2) },
        { url: shop(1), title: 'One' },
      ),
    ).toEqual([
      { url: shop(1), title: '(1) One', opened_timestamp: 1_700_000_000 },
      { url: shop(2), opened_timestamp: 1_700_000_003 },
      { url: shop(1), title: 'One', opened_timestamp: 1_700_000_004 },
    ])
  })
})

test('a visit comes from the first page that linked to it', () => {
  const [search, other] = ['https://search.example/', 'https://other.example/']
  expect(visitOf({ url: shop(1) })).not.toHaveProperty('referrer')
  const pages = [{ url: shop(1) }, { url: shop(2), referrer: search }, { url: shop(3), referrer: other }]
  expect(visitOf(...pages)?.referrer).toBe(search)
})

describe('page views', () => {
  test('are counted beyond the pages that are kept, of each once until another follows', () => {
    const opened = many(25, (n) => ({ url: shop(n) })).flatMap((page) => [page, page])
    expect(openingFrom(undefined, ...opened)).toMatchObject({ page_views: 25 })
  })

  test('of a customer who was stored before they were counted begin with the pages known of it', () => {
    const pages = many(2, (n) => ({ url: shop(n), opened_timestamp: n }))
    const known = CustomerItem.parse({
      ...{
        id: 'c',
        license_id: 'l',
        visits: 3,
        threads: 1,
        visit: { started_timestamp: 5, pages, ip: '::1' },
      },
    })
    expect(customerUser({ id: 'c', present: true }, known).monitoring).toEqual({
      current_visit: { start: 5, pages: [1, 2].map((n) => ({ start: n, url: shop(n) })) },
      ...{ stats: { visits: 3, threads: 1, page_views: 2 }, ip: '::1' },
    })
    const opened = openingFrom(known, { url: shop(2) }, { url: shop(3) })
    expect(opened).toMatchObject({ page_views: 3, visits: 3 })
    expect(opened).not.toHaveProperty('last_visit')
    const next = mergedDetails(known, undefined, { visitor: from, nowMs: startMs, opens: true })
    expect(next).toMatchObject({ visits: 4, page_views: 2, last_visit: 5 })
  })
})
