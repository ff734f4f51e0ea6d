import type { Clock, Timer } from "../../foundation/clock.ts";
import type { ComponentHealth } from "../../opamp/messages.ts";
import type { Collector } from "../collector/collector.ts";
import type { CollectorExit } from "../collector/process.ts";

/** How the wait for a proof ended. */
export type Proof =
  | { t: "proven" }
  | { t: "exited"; exit: CollectorExit; excerpt: string }
  /** The host could not start the process. */
  | { t: "unstartable"; reason: string }
  /** A component said that it is down for good. */
  | { t: "broken"; reason: string }
  | { t: "timed-out"; missing: string };

/** Signals that come from outside the process; the others are its own crash. */
const outsideSignals = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"]);

/**
 * Whether this death says nothing about the configuration: somebody, or the kernel, killed the process. A
 * Collector ends with 0 only when told to, and of an adopted one nobody knows.
 */
export function wasKilledFromOutside(exit: CollectorExit): boolean {
  return !exit.known || exit.code === 0 || (exit.signal !== null && outsideSignals.has(exit.signal));
}

/** In a reload the Collector ends when the old configuration cannot be shut down, as when its backend is away. */
function diedOfTheOld(log: string): boolean {
  return log.includes("failed to shutdown the retiring config");
}

/** A watch that began before the switch, so that no event of it can be missed. */
export interface ProofWatch {
  /** The wait is counted from this call. */
  within(timeoutMs: number): Promise<Proof>;
  cancel(): void;
}

/**
 * Watches for the proof that the Collector runs `mark`: on a link whose handshake carried this mark it
 * reported its effective configuration and that it is healthy. Either one without the other proves
 * nothing, since the effective configuration is sent before the pipelines start. A recoverable error
 * (a backend that is away) comes after the start and counts as started.
 *
 * A first death by a signal from outside is not the configuration's doing, nor one of the configuration before it,
 * which could not be shut down in a reload: `onKilled` restarts it and the wait goes on.
 */
export function watchForProof(
  collector: Collector,
  { mark, clock, onKilled }: { mark: string; clock: Clock; onKilled: () => void },
): ProofWatch {
  let killed = false;
  let switched = false;
  let timer: Timer | undefined;
  let settle: (proof: Proof) => void = () => undefined;
  const settled = new Promise<Proof>((resolve) => {
    settle = resolve;
  });
  const cancel = () => {
    stopObserving();
    timer?.cancel();
  };
  const finish = (proof: Proof) => {
    cancel();
    settle(proof);
  };
  const look = () => {
    const { link } = collector;
    if (link?.mark !== mark) return;
    const broken = link.health && findBrokenComponent(link.health);
    if (broken !== undefined) finish({ t: "broken", reason: broken });
    else if (link.effectiveConfig !== undefined && link.health !== undefined && hasStarted(link.health)) {
      finish({ t: "proven" });
    }
  };
  const stopObserving = collector.observe((event) => {
    switch (event.t) {
      case "exited": {
        const { exit, launch, excerpt } = event;
        if (launch.mark !== mark) return;
        if (wasKilledFromOutside(exit) && !killed) {
          killed = true;
          onKilled();
          return;
        }
        void excerpt.then((text) => {
          if (!killed && diedOfTheOld(text)) {
            killed = true;
            onKilled();
            return;
          }
          cancel();
          settle({ t: "exited", exit, excerpt: text });
        });
        return;
      }
      case "start-failed":
        if (event.launch.mark === mark) finish({ t: "unstartable", reason: event.error.message });
        return;
      case "health":
      case "effective-config":
        look();
        return;
      case "state":
        // Nobody else stops it during a proof: the supervisor itself is going.
        if (switched && event.state.t === "stopping")
          finish({ t: "timed-out", missing: "the supervisor is stopping" });
        return;
      case "linked":
      case "unlinked":
    }
  });
  return {
    within(timeoutMs) {
      switched = true;
      timer = clock.setTimer(timeoutMs, () =>
        finish({ t: "timed-out", missing: whatIsMissing(collector, mark) }),
      );
      // An adopted Collector may have said everything before this watch began.
      look();
      return settled;
    },
    cancel,
  };
}

function hasStarted(health: ComponentHealth): boolean {
  return health.healthy || health.status === "StatusRecoverableError";
}

const downForGood = new Set(["StatusPermanentError", "StatusFatalError"]);

/** The first component, at any depth, that reports a permanent or fatal error: "receivers:otlp: the text". */
export function findBrokenComponent(health: ComponentHealth, name = ""): string | undefined {
  for (const [childName, child] of Object.entries(health.componentHealthMap)) {
    const found = findBrokenComponent(child, name === "" ? childName : `${name}/${childName}`);
    if (found !== undefined) return found;
  }
  if (!downForGood.has(health.status)) return undefined;
  const what = health.lastError === "" ? health.status : health.lastError;
  return name === "" ? what : `${name}: ${what}`;
}

function whatIsMissing(collector: Collector, mark: string): string {
  const { link } = collector;
  if (link?.mark !== mark) return "the Collector did not connect with this configuration";
  if (link.effectiveConfig === undefined) return "the Collector did not report its effective configuration";
  const { health } = link;
  if (health === undefined) return "the Collector did not report its health";
  return `the Collector is not healthy: ${health.lastError || health.status || "no reason given"}`;
}
