/** The whole environment of a child; undefined values are left out. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Without what belongs to the supervisor alone: a Collector that reports to systemd would speak for it. */
export function childEnvironment(env: Environment): NodeJS.ProcessEnv {
  const { NOTIFY_SOCKET: _socket, WATCHDOG_USEC: _usec, WATCHDOG_PID: _pid, ...rest } = env;
  return rest;
}
