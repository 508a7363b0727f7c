import type { Config } from './config.ts'
import { Avatar, Field, valuesOf } from './parts.tsx'

/** A desk that nobody sits at yet. */
export const LoginForm = ({
  agents,
  onLogin,
  onClose,
}: {
  agents: Config['agents']
  onLogin: (token: string, agent?: string) => void
  onClose?: () => void
}) => (
  <div class="login">
    <h2>Who works at this desk?</h2>
    <p class="hint">
      {agents.length > 0
        ? 'Log in as an agent of the demo license, and write as a customer in a visitor’s panel.'
        : 'Log in with an access token of an agent.'}
    </p>
    {agents.length > 0 && (
      <ul class="people">
        {agents.map(({ id, permission, token }) => (
          <li key={id}>
            <button type="button" onClick={() => onLogin(token, id)}>
              <Avatar name={id} kind="agent" />
              <span>
                <strong>{id}</strong>
                <small>{permission}</small>
              </span>
            </button>
          </li>
        ))}
      </ul>
    )}
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const token = valuesOf(event.currentTarget)('token')
        if (token !== '') onLogin(token)
      }}
    >
      <Field label={agents.length > 0 ? 'Or an access token' : 'Access token'}>
        <input name="token" type="password" autoComplete="off" required />
      </Field>
      <button type="submit" class="primary">
        Log in
      </button>
    </form>
    {onClose !== undefined && (
      <button type="button" class="quiet" onClick={onClose}>
        Close this desk
      </button>
    )}
  </div>
)
