import { useLayoutEffect, useReducer } from 'preact/hooks'

/** State outside the components, which says when it has changed. */
export interface Changes {
  changed: () => void
  subscribe: (listener: () => void) => () => void
}

export const openChanges = (): Changes => {
  const listeners = new Set<() => void>()
  return {
    changed: () => {
      for (const listener of listeners) listener()
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** Renders the component anew with each change. */
export const useChanges = ({ subscribe }: Changes): void => {
  const [, again] = useReducer((n: number, _: undefined) => n + 1, 0)
  useLayoutEffect(() => subscribe(() => again(undefined)), [subscribe])
}
