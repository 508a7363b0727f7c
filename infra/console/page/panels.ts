import { useState } from 'preact/hooks'
import type { Config } from './config.ts'

/** A desk, at which somebody sits once it has a token, or a widget. */
export type Panel =
  | { key: string; kind: 'desk'; token?: string; agent?: string | undefined }
  | { key: string; kind: 'widget'; visitor: number }

let count = 0
const newKey = (): string => `panel-${(count += 1)}`

const emptyDesk = (): Panel => ({ key: newKey(), kind: 'desk' })
const widget = (visitor: number): Panel => ({ key: newKey(), kind: 'widget', visitor })

/** The panels that the address names, as `#desks=nora,adam&visitors=1,2`; else a desk and a widget. */
export const openPanels = (agents: Config['agents'], hasWidgets: boolean): Panel[] => {
  const named = new URLSearchParams(location.hash.slice(1))
  const desks = (named.get('desks') ?? '').split(',').flatMap((id): Panel[] => {
    const agent = agents.find((one) => one.id === id)
    return agent === undefined ? [] : [{ key: newKey(), kind: 'desk', token: agent.token, agent: id }]
  })
  const visitors = (named.get('visitors') ?? '').split(',').map(Number).filter(Number.isSafeInteger)
  const widgets = visitors.filter((visitor) => visitor > 0).map(widget)
  const isEmpty = desks.length + widgets.length === 0
  return [...(isEmpty ? [emptyDesk()] : desks), ...(hasWidgets ? (isEmpty ? [widget(1)] : widgets) : [])]
}

/** Keeps the address, so that a reload shows the same panels: demo agents by id, and never a token. */
const keep = (panels: readonly Panel[]): void => {
  const desks = panels.flatMap((panel) => (panel.kind === 'desk' ? (panel.agent ?? []) : []))
  const visitors = panels.flatMap((panel) => (panel.kind === 'widget' ? panel.visitor : []))
  history.replaceState(
    null,
    '',
    `#desks=${desks.map(encodeURIComponent).join(',')}&visitors=${visitors.join(',')}`,
  )
}

export const usePanels = (open: () => Panel[]) => {
  const [all, setAll] = useState(open)
  const [chosen, show] = useState('')
  const change = (next: Panel[], key?: string): void => {
    keep(next)
    setAll(next)
    if (key !== undefined) show(key)
  }
  const add = (panel: Panel) => change([...all, panel], panel.key)
  return {
    all,
    /** The panel that is shown where there is room for one. */
    shown: all.some(({ key }) => key === chosen) ? chosen : (all[0]?.key ?? ''),
    show,
    addDesk: () => add(emptyDesk()),
    addWidget: () =>
      add(widget(Math.max(0, ...all.map((panel) => (panel.kind === 'widget' ? panel.visitor : 0))) + 1)),
    logIn: (key: string, token: string, agent?: string) =>
      change(all.map((panel) => (panel.key === key ? { key, kind: 'desk', token, agent } : panel))),
    logOut: (key: string) => change(all.map((panel) => (panel.key === key ? { key, kind: 'desk' } : panel))),
    remove: (key: string) => change(all.filter((panel) => panel.key !== key)),
  }
}
