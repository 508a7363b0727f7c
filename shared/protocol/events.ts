import * as z from 'zod/mini'
import { atMost, filled, Flag, Id, opt, text, Timestamp, utf8Bytes } from './fields.ts'
import { JsonText } from './json.ts'
import { limits } from './limits.ts'
import { OptionalProperties, PropertiesOutput } from './properties.ts'

/**
 * The types of events. What each is as it is sent stands below; as it is stored and counted in
 * `table/chat/thread-log.ts`, as a phone shows it in `mobile/notification.ts`. There is no `file` yet: a
 * client's is refused.
 */
export const eventTypes = ['message', 'annotation', 'filled_form', 'custom', 'system_message'] as const

export const Recipients = z.enum(['all', 'agents'])
export type Recipients = z.output<typeof Recipients>

const fieldTypes = [
  'text',
  'email',
  'radio',
  'checkbox',
  'select',
  'textarea',
  'title',
  'information',
] as const
// DynamoDB's numbers have 38 digits, more than any double needs, and lie between 1e-130 and 9.9e125; its SDK
// takes none beyond 2^53
const FormNumber = z.number().check(
  z.refine((value) => Math.abs(value) <= Number.MAX_SAFE_INTEGER, 'Too large: at most 2^53 - 1'),
  z.refine((value) => value === 0 || Math.abs(value) >= 1e-130, 'Too near to 0: at least 1e-130'),
)
const FormValue = z.union([text(limits.textBytes), FormNumber, z.boolean()], {
  error: `A value is a string of at most ${limits.textBytes} bytes, a number of at most 15 digits or a boolean`,
})
const FormFieldInput = z.object({
  type: z.enum(fieldTypes),
  name: text(limits.nameBytes),
  label: text(limits.nameBytes),
  required: opt(Flag),
  value: opt(FormValue),
  options: opt(
    z
      .array(z.object({ label: text(limits.nameBytes), value: opt(FormValue), checked: opt(Flag) }))
      .check(atMost(limits.options, `At most ${limits.options} options`)),
  ),
})
const FormField = z.strictObject({
  type: z.enum(fieldTypes),
  name: z.string(),
  label: z.string(),
  required: z.optional(z.boolean()),
  value: z.optional(FormValue),
  options: z.optional(
    z.array(
      z.strictObject({ label: z.string(), value: z.optional(FormValue), checked: z.optional(z.boolean()) }),
    ),
  ),
})

export const FormFields = z.array(FormField)

const isJsonObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)

/** Whether objects and arrays are nested at most so deep, 1 for a flat object. Without recursion. */
const isWithin = (value: unknown, most: number): boolean => {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    const nested = level.filter(
      (one): one is object => typeof one === 'object' && one !== null && !JSON.isRawJSON(one),
    )
    if (nested.length > 0 && depth === most) return false
    level = nested.flatMap((one) => Object.values(one))
  }
  return true
}

/** Any JSON object, kept as JSON text so that it is given back exactly as it came. */
export const ContentText = z.pipe(
  z.unknown().check(
    z.refine(isJsonObject, { error: 'Must be a JSON object', abort: true }),
    z.refine((value) => isWithin(value, limits.contentDepth), {
      error: `At most ${limits.contentDepth} levels deep`,
      abort: true,
    }),
  ),
  z
    .transform((value) => JSON.stringify(value))
    .check(
      z.refine(
        (json) => utf8Bytes(json) <= limits.contentBytes,
        `Too long: at most ${limits.contentBytes} bytes of JSON`,
      ),
    ),
)

/** `content` as it goes out: the text that was stored, unread. */
export const contentOf = (json: string): JsonText => new JsonText(json)

// what each type holds by itself
const message = { type: z.literal('message'), text: filled(limits.textBytes) }
const annotation = {
  type: z.literal('annotation'),
  annotation_type: filled(limits.nameBytes),
  text: opt(text(limits.textBytes)),
}
const filledForm = {
  type: z.literal('filled_form'),
  fields: z.array(FormFieldInput).check(atMost(limits.fields, `At most ${limits.fields} fields`)),
}
const custom = { type: z.literal('custom'), content: ContentText }

const common = { custom_id: opt(Id), recipients: opt(Recipients), properties: OptionalProperties }
const Message = z.object({ ...common, ...message })
const Annotation = z.object({ ...common, ...annotation })
const FilledForm = z.object({ ...common, ...filledForm })
const Custom = z.object({ ...common, ...custom })

/** The types that are the server's own; a client's initial system message must use another. */
export const systemMessageTypes = [
  'agent_joined',
  'agent_left',
  'customer_left',
  'manual_archived',
  'customer_banned',
  'routing.assigned',
  'routing.unassigned',
  'routing.idle',
  'routing.archived',
  'transferred',
] as const
export type SystemMessageType = (typeof systemMessageTypes)[number]

const reservedTypes: ReadonlySet<string> = new Set(systemMessageTypes)
const SystemMessage = z.object({
  ...common,
  type: z.literal('system_message'),
  text: filled(limits.textBytes),
  system_message_type: z.pipe(
    opt(
      filled(limits.nameBytes).check(
        z.refine(
          (type) => !reservedTypes.has(type),
          'This type is reserved for the server: use another, or none',
        ),
      ),
    ),
    z.transform((type) => type ?? 'custom'),
  ),
})

const refusal =
  'Must be one of message, annotation, filled_form, custom; system_message and file are made by the server'
/** An event that a client sends. */
export const NewEvent = z.discriminatedUnion('type', [Message, Annotation, FilledForm, Custom], {
  error: refusal,
})
/** `start_chat` also takes an agent's system messages, as the source's example shows. */
export const NewInitialEvent = z.discriminatedUnion(
  'type',
  [Message, Annotation, FilledForm, Custom, SystemMessage],
  {
    error: 'Must be one of message, annotation, filled_form, custom, system_message',
  },
)
// a customer's is for all, whatever it says of that
const forAll = z.pipe(
  z.optional(
    z.unknown().register(z.globalRegistry, { description: 'Ignored: what a customer sends is for all.' }),
  ),
  z.transform((): 'all' => 'all'),
)
const ofCustomers = { ...common, recipients: forAll }
/** An event that a customer sends. */
export const NewCustomerEvent = z.discriminatedUnion(
  'type',
  [
    z.object({ ...ofCustomers, ...message }),
    z.object({ ...ofCustomers, ...annotation }),
    z.object({ ...ofCustomers, ...filledForm }),
    z.object({ ...ofCustomers, ...custom }),
  ],
  { error: refusal },
)
export type NewEvent = z.output<typeof NewEvent>
export type NewInitialEvent = z.output<typeof NewInitialEvent>
export type NewCustomerEvent = z.output<typeof NewCustomerEvent>

/** The events that a chat begins with. */
export const initialEvents = <S extends z.core.$ZodType>(event: S) =>
  opt(z.array(event).check(atMost(limits.initialEvents, `At most ${limits.initialEvents} initial events`)))

const outCommon = {
  id: z.string(),
  custom_id: z.optional(z.string()),
  order: z.int().check(z.positive()),
  author_id: z.optional(z.string()),
  timestamp: Timestamp,
  properties: z.optional(PropertiesOutput),
}
/** An event as it goes out to those who may be shown one with these `recipients`. */
export const eventSchema = <R extends z.core.$ZodType>(recipients: R) => {
  const common = { ...outCommon, recipients }
  return z.discriminatedUnion('type', [
    z.strictObject({ ...common, type: z.literal('message'), text: z.string() }),
    z.strictObject({
      ...common,
      type: z.literal('annotation'),
      annotation_type: z.string(),
      text: z.optional(z.string()),
    }),
    z.strictObject({ ...common, type: z.literal('filled_form'), fields: FormFields }),
    z.strictObject({ ...common, type: z.literal('custom'), content: z.unknown() }),
    z.strictObject({
      ...common,
      type: z.literal('system_message'),
      text: z.string(),
      system_message_type: z.string(),
    }),
  ])
}
export const Event = eventSchema(Recipients)
export type Event = z.output<typeof Event>
