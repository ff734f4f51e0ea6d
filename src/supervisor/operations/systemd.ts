import { spawn } from "node:child_process";
import { connect } from "node:net";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";

/** What systemd is told of, and what its watchdog hangs on. */
export interface ServiceSource {
  /** One line of what runs, for `systemctl status`. */
  status(): string;
  /** Port on 127.0.0.1 at which the Collector's extension is awaited. */
  linkPort(): number;
}

interface SystemdDeps {
  /** Of this process; `WATCHDOG_USEC` and `WATCHDOG_PID` count here (sd_watchdog_enabled(3)). */
  env: Readonly<Record<string, string | undefined>>;
  clock: Clock;
  logger: Logger;
  /** Tells systemd; default {@link runSystemdNotify}. Rejects when it was not told. */
  notify?: (assignments: readonly string[]) => Promise<void>;
}

/** How often the status is looked at. Changes between two looks are not worth a process each. */
const statusEveryMs = 10_000;
const notifyTimeoutMs = 5_000;

/**
 * Speaks to systemd as a service of `Type=notify` (sd_notify(3)). Nothing here can fail the supervisor: what
 * cannot be said is logged, once.
 *
 * The watchdog is fed only by a timer of this event loop, and only while the local link takes connections.
 * Neither the server nor the health of the Collector matters: a restart of the supervisor would mend neither.
 */
export class Systemd {
  readonly #env: SystemdDeps["env"];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #notify: NonNullable<SystemdDeps["notify"]>;
  /** What is to be said next, the newest of each kind. */
  #unsaid = new Map<string, string>();
  #speaking = false;
  #lastStatus = "";
  #timer: Timer | undefined;
  #ended = false;
  #complained = new Set<string>();

  constructor({
    env,
    clock,
    logger,
    notify = (assignments) => runSystemdNotify(assignments, env),
  }: SystemdDeps) {
    this.#env = env;
    this.#clock = clock;
    this.#logger = logger;
    this.#notify = notify;
  }

  /** The supervisor works: says so, and goes on to say how it is. */
  ready(source: ServiceSource): void {
    this.#say("READY", "1");
    this.#sayStatus(source);
    const watchdogMs = watchdogInterval(this.#env);
    const everyMs = Math.min(statusEveryMs, watchdogMs === undefined ? Infinity : watchdogMs / 3);
    const beat = () => {
      this.#timer = this.#clock.setTimer(everyMs, beat);
      this.#sayStatus(source);
      this.#sayUnsaid();
      if (watchdogMs !== undefined) void this.#feed(source.linkPort(), everyMs);
    };
    this.#timer = this.#clock.setTimer(everyMs, beat);
  }

  /** The supervisor is about to end. Does not keep it waiting. */
  stopping(status: string): void {
    this.#ended = true;
    this.#timer?.cancel();
    this.#unsaid.delete("WATCHDOG");
    this.#say("STOPPING", "1");
    this.#say("STATUS", oneLine(status));
  }

  #sayStatus(source: ServiceSource): void {
    const status = oneLine(source.status());
    if (status === this.#lastStatus) return;
    this.#lastStatus = status;
    this.#say("STATUS", status);
  }

  async #feed(port: number, timeoutMs: number): Promise<void> {
    const problem = await refusal(port, timeoutMs);
    if (this.#ended) return;
    if (problem === undefined) {
      this.#complained.delete("watchdog_withheld");
      this.#say("WATCHDOG", "1");
      return;
    }
    this.#complain(
      { event: "watchdog_withheld", port, error: describeError(problem) },
      "the port for the Collector's OpAMP extension takes no connection; systemd restarts this supervisor if that lasts",
    );
  }

  #say(name: string, value: string): void {
    this.#unsaid.set(name, value);
    this.#sayUnsaid();
  }

  #sayUnsaid(): void {
    if (this.#speaking) return;
    this.#speaking = true;
    void this.#sayAll().finally(() => {
      this.#speaking = false;
    });
  }

  /** One process at a time; what comes up meanwhile goes with the next. */
  async #sayAll(): Promise<void> {
    while (this.#unsaid.size > 0) {
      const saying = this.#unsaid;
      this.#unsaid = new Map();
      try {
        await this.#notify([...saying].map(([name, value]) => `${name}=${value}`));
        this.#complained.delete("systemd_not_told");
      } catch (error) {
        // A READY that got lost would have a supervisor that works ended. The next beat says it again.
        this.#unsaid = new Map([...saying, ...this.#unsaid]);
        this.#complain(
          { event: "systemd_not_told", error: describeError(error) },
          "systemd cannot be told how this service is: is systemd-notify installed?",
        );
        return;
      }
    }
  }

  /** Once, until it is well again. */
  #complain(fields: { event: string } & Record<string, unknown>, message: string): void {
    if (this.#complained.has(fields.event)) return;
    this.#complained.add(fields.event);
    this.#logger.error(fields, message);
  }
}

/** Milliseconds within which the watchdog wants to hear of this process; undefined if it does not. */
function watchdogInterval({ WATCHDOG_USEC, WATCHDOG_PID }: SystemdDeps["env"]): number | undefined {
  if (WATCHDOG_PID !== undefined && WATCHDOG_PID !== String(process.pid)) return undefined;
  const ms = Number(WATCHDOG_USEC) / 1_000;
  return ms > 0 && Number.isFinite(ms) ? ms : undefined;
}

/** Why nothing on this host can connect to the port; undefined if it can. */
function refusal(port: number, timeoutMs: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, timeout: timeoutMs });
    const settle = (problem: Error | undefined) => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("connect", () => settle(undefined));
    socket.once("timeout", () => settle(new Error(`no connection within ${timeoutMs} ms`)));
    socket.once("error", settle);
  });
}

/**
 * Node has no datagram sockets of the local kind, which the protocol needs, so that systemd's own tool does it:
 * 3 ms of a process, three times in WatchdogSec.
 */
function runSystemdNotify(assignments: readonly string[], env: SystemdDeps["env"]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn("systemd-notify", [...assignments], {
      env: { PATH: env.PATH, NOTIFY_SOCKET: env.NOTIFY_SOCKET },
      stdio: "ignore",
      timeout: notifyTimeoutMs,
      killSignal: "SIGKILL",
    });
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`systemd-notify ended with ${signal ?? `exit code ${code}`}`));
    });
    // What it says on the way out it says without us.
    child.unref();
  });
}

/** A message is lines; a status that had several would be read as further assignments. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
