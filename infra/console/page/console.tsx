import { render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type Config, readConfig } from './config.ts'
import { DeskPanel } from './desk.tsx'
import { LoginForm } from './login-form.tsx'
import { openPanels, type Panel, usePanels } from './panels.ts'
import { WidgetPanel } from './widget.tsx'

/** The page: agents' desks on the left, customers' widgets on the right, as many as one likes. */
const Console = ({ config }: { config: Config }) => {
  const { agent_url, customer_url, license_id, agents } = config
  const hasWidgets = customer_url !== undefined && license_id !== undefined
  const panels = usePanels(() => openPanels(agents, hasWidgets))
  const desks = panels.all.filter((panel) => panel.kind === 'desk')
  const widgets = panels.all.filter((panel) => panel.kind === 'widget')
  const classOf = ({ key }: Panel) => (key === panels.shown ? 'panel shown' : 'panel')
  return (
    <>
      <TopBar panels={panels} license={license_id} hasWidgets={hasWidgets} />
      <div class={widgets.length === 0 ? 'panels no-widgets' : 'panels'}>
        <div class="desks">
          {desks.map((panel) => (
            <section key={panel.key} class={classOf(panel)} aria-label={labelOf(panel)}>
              {panel.token === undefined ? (
                <LoginForm
                  agents={agents}
                  onLogin={(token, agent) => panels.logIn(panel.key, token, agent)}
                  {...(panels.all.length > 1 && { onClose: () => panels.remove(panel.key) })}
                />
              ) : (
                <DeskPanel
                  key={panel.token}
                  url={agent_url}
                  token={panel.token}
                  onLeave={() => panels.logOut(panel.key)}
                />
              )}
            </section>
          ))}
        </div>
        {hasWidgets && (
          <div class="widgets">
            {widgets.map((panel) => (
              <section key={panel.key} class={classOf(panel)} aria-label={labelOf(panel)}>
                <WidgetPanel
                  url={customer_url}
                  license={license_id}
                  visitor={panel.visitor}
                  onClose={() => panels.remove(panel.key)}
                />
              </section>
            ))}
          </div>
        )}
      </div>
    </>
  )
}

const labelOf = (panel: Panel): string =>
  panel.kind === 'widget'
    ? `Visitor ${panel.visitor}`
    : `Desk ${panel.agent ?? (panel.token ? 'by token' : '')}`.trim()

const TopBar = ({
  panels,
  license,
  hasWidgets,
}: {
  panels: ReturnType<typeof usePanels>
  license: string | undefined
  hasWidgets: boolean
}) => (
  <header class="top">
    <h1>
      agent-chat <small>{license === undefined ? 'console' : `console · ${license}`}</small>
    </h1>
    <div class="switcher">
      {panels.all.map((panel) => (
        <button
          type="button"
          key={panel.key}
          aria-pressed={panel.key === panels.shown}
          onClick={() => panels.show(panel.key)}
        >
          {labelOf(panel)}
        </button>
      ))}
    </div>
    <span class="actions">
      <button type="button" class="small" onClick={panels.addDesk}>
        Add a desk
      </button>
      {hasWidgets && (
        <button type="button" class="small" onClick={panels.addWidget}>
          Add a visitor
        </button>
      )}
    </span>
  </header>
)

const App = () => {
  const [config, setConfig] = useState<Config>()
  const [failure, setFailure] = useState<string>()
  useEffect(() => {
    const failed = (error: unknown): void => setFailure(String(error))
    // what nobody has expected is shown as well
    addEventListener('error', ({ message }) => failed(message))
    addEventListener('unhandledrejection', ({ reason }) => failed(reason))
    readConfig().then(setConfig, failed)
  }, [])
  return (
    <>
      {failure !== undefined && (
        <p class="notice bad" role="alert">
          The console has failed: {failure}
        </p>
      )}
      {config !== undefined && <Console config={config} />}
    </>
  )
}

const element = document.getElementById('console')
if (element !== null) {
  element.replaceChildren()
  render(<App />, element)
}
