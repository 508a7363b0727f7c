import type { ActionSpec } from '../protocol/action.ts'
import type { Handler } from './context.ts'
import { receiveHttp } from './http.ts'
import { serve } from './serve.ts'

/** Serves an action to connections and over HTTP: the same function stands behind both APIs. */
export const serveBoth = <const Spec extends ActionSpec & { socketOnly?: never; by?: never }>(
  spec: Spec,
  handler: Handler<Spec>,
) => serve(spec, handler, receiveHttp)
