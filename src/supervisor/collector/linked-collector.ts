import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { CustomMessage } from "../../opamp/messages.ts";
import type { Tracer } from "../telemetry/tracer.ts";
import type { Collector } from "./collector.ts";
import { Liveness } from "./liveness.ts";
import { type CollectorReport, LocalLink } from "./local-link.ts";
import { openLocalLink } from "./open-local-link.ts";

interface LinkedCollectorDeps {
  clock: Clock;
  logger: Logger;
  tracer: Tracer;
  collector: Collector;
  token: string;
  /** `agent.opamp_server_port`; 0 where any will do, and then `lastPort` is tried first. */
  fixedPort: number;
  lastPort: number;
  /** A fixed port that is taken is no reason to leave a host dark that has a configuration to run. */
  mayMove: boolean;
  /** Told of another port than the last: the extension finds it in its configuration. */
  portChanged: (port: number) => Promise<unknown>;
  /** What the extension said of the Collector, before the Collector's own state is moved by it. */
  reported: (report: CollectorReport) => void;
  customMessage: (message: CustomMessage) => void;
}

/** The local listener that the Collector's opamp extension dials, and what comes in by it. */
export class LinkedCollector {
  readonly #deps: LinkedCollectorDeps;
  #link: LocalLink | undefined;
  #liveness: Liveness | undefined;
  #stopPinging: (() => void) | undefined;
  #port: number;

  constructor(deps: LinkedCollectorDeps) {
    this.#deps = deps;
    this.#port = deps.fixedPort || deps.lastPort;
  }

  /** Where it listens, or is going to. */
  get port(): number {
    return this.#port;
  }

  /** @throws when the port cannot be had. */
  async listen(): Promise<void> {
    const { fixedPort, lastPort, mayMove, portChanged, logger } = this.#deps;
    const isFixed = fixedPort !== 0 && !mayMove;
    const opened = await openLocalLink((port) => this.#makeLink(port), { port: this.#port, isFixed });
    this.#link = opened.link;
    if (fixedPort !== 0 && opened.port !== fixedPort) {
      const fields = { event: "local_port_taken", port: fixedPort, used: opened.port };
      logger.error(fields, "agent.opamp_server_port is taken by another program; another port is used");
    }
    this.#port = opened.port;
    if (opened.port !== lastPort) await portChanged(opened.port);
  }

  /** From now on a Collector that is silent for `timeoutMs` is ended as one that hangs. */
  watchLiveness(timeoutMs: number): void {
    const { collector, clock } = this.#deps;
    const liveness = new Liveness({ collector, clock, timeoutMs });
    liveness.start();
    this.#liveness = liveness;
    const half = timeoutMs / 2;
    this.#stopPinging = this.#link?.watchLiveness({ intervalMs: half, timeoutMs: half }, () =>
      liveness.unanswered(),
    );
  }

  sendCustomMessage(message: CustomMessage): void {
    this.#link?.sendCustomMessage(message);
  }

  stopWatching(): void {
    this.#liveness?.stop();
    this.#stopPinging?.();
  }

  async close(): Promise<void> {
    await this.#link?.close();
  }

  #makeLink(port: number): LocalLink {
    const { clock, logger, tracer, collector, token, reported, customMessage } = this.#deps;
    return new LocalLink(
      { port, token, clock, logger },
      {
        onLink: ({ id, mark }) => collector.linked(id, mark),
        onUnlink: ({ id }) => collector.unlinked(id),
        onReport: ({ id }, report) =>
          tracer.during("handleAgentOpAMPMessage", () => {
            reported(report);
            collector.reported(id, report);
          }),
        onCustomMessage: (_link, message) =>
          tracer.during("handleAgentOpAMPMessage", () => customMessage(message)),
      },
    );
  }
}
