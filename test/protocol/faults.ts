import * as z from 'zod/mini'
import type { ActionSpec } from '../../shared/protocol/action.ts'
import { detailsOf } from '../../shared/protocol/envelope.ts'
import type { ErrorDetail } from '../../shared/protocol/errors.ts'

/**
 * What a contract finds wrong with a payload: the `details` of the `validation` that a client would be
 * answered.
 */
export const faultsOf = ({ request }: Pick<ActionSpec, 'request'>, payload: unknown): ErrorDetail[] => {
  const { success, error } = z.safeParse(request, payload)
  return success ? [] : detailsOf(error.issues, 'payload')
}
