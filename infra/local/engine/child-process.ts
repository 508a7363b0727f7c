import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

type OwnedProcess = {
  /** The end of what it printed. */
  output: () => string
  /** Why it ended, with the end of its output; undefined while it runs. */
  ended: () => string | undefined
  /** Resolves to the same, once it has ended. */
  untilEnded: Promise<string>
  stop: () => Promise<void>
  /** Ends it as a power cut would: with no chance to finish what it does. */
  kill: () => Promise<void>
}

// The shell becomes the command (so the pid is the command's), and beside it waits for the end of its stdin.
// The kernel closes that pipe whatever ends this process, SIGKILL too, so nothing stays behind: the group is
// the command, what it has started in turn, and this shell.
const watchdog = 'exec 3<&0; (read -r _ <&3; kill -s KILL -- -$$) >/dev/null 2>&1 & exec "$@" 3<&- </dev/null'

/**
 * Starts a command that lives no longer than this process. It has a process group of its own, so that a
 * Ctrl-C in the terminal reaches this process alone, which then stops the command when it is done with it.
 */
export function spawnChild(command: string, args: string[], env: NodeJS.ProcessEnv): OwnedProcess {
  const child =
    process.platform === 'win32'
      ? spawn(command, args, { env, windowsHide: true })
      : spawn('/bin/sh', ['-c', watchdog, 'sh', command, ...args], { env, detached: true })
  let output = ''
  let ended: string | undefined
  const { promise: untilEnded, resolve } = Promise.withResolvers<string>()
  const end = (reason: string) => {
    ended ??= reason
    resolve(ended)
  }
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-10_000)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  child.on('error', (error) => end(error.message))
  child.on('close', (code, signal) => {
    const said = output.trim().slice(-300).replaceAll(/\s+/g, ' ')
    end(`ended with ${signal ?? (said === '' ? code : `${code}: ${said}`)}`)
  })
  child.unref()
  for (const stream of child.stdio)
    if (stream && 'unref' in stream && typeof stream.unref === 'function') stream.unref()
  const killAtExit = () => signalGroup(child, 'SIGKILL')
  process.once('exit', killAtExit)
  child.on('exit', () => {
    process.off('exit', killAtExit)
    // a command that is a script may have left what it has started
    killAtExit()
  })
  return {
    output: () => output,
    ended: () => ended,
    untilEnded,
    stop: () => stopChild(child, 'SIGTERM'),
    kill: () => stopChild(child, 'SIGKILL'),
  }
}

async function stopChild(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  child.ref()
  const exited = once(child, 'exit')
  const force = setTimeout(() => signalGroup(child, 'SIGKILL'), 2000)
  signalGroup(child, signal)
  await exited
  clearTimeout(force)
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (process.platform === 'win32') child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    // the group is empty
  }
}
