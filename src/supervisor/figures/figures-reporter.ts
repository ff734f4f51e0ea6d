import { create } from "@bufbuild/protobuf";
import type { Clock, Timer } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import { encodeFigures, type Figures, figuresCapability, figuresType } from "../../opamp/figures.ts";
import { type CustomMessage, CustomMessageSchema } from "../../opamp/messages.ts";
import type { ConfigurationBook } from "../change/configuration-book.ts";
import type { AgentLog } from "../collector/agent-log.ts";
import type { Collector } from "../collector/collector.ts";
import { metricsAddress, readMetrics, toFigures } from "./collector-metrics.ts";
import { configurationFigures } from "./configuration-figures.ts";
import { ErrorLines } from "./error-lines.ts";
import { processFigures } from "./process-figures.ts";

interface FiguresReporterDeps {
  clock: Clock;
  logger: Logger;
  state: ReportedState;
  collector: Collector;
  book: ConfigurationBook;
  log: AgentLog;
  /** Starts of a Collector in another's place, by reason. */
  restarts: () => Record<string, number>;
  /** Whether a server that announced the capability is connected, and no message of ours still waits. */
  wanted: () => boolean;
  send: (message: CustomMessage) => void;
  /** `agent.figures.interval`; 0: never. */
  intervalMs: number;
  /** Names this process of the supervisor. */
  id: string;
}

/**
 * Tells the server from time to time, and when something else runs, what staged rollouts judge by
 * (docs/rollout-figures.md). It does nothing at all where no server wants it.
 */
export class FiguresReporter {
  readonly #deps: FiguresReporterDeps;
  readonly #errors = new ErrorLines();
  readonly #startedAt: number;
  #timer: Timer | undefined;
  #underWay = false;
  #again = false;
  #stopped = false;

  constructor(deps: FiguresReporterDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.now();
  }

  start(): void {
    if (this.#deps.intervalMs === 0) return;
    this.#schedule();
    this.tell();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** Something else runs, or the server has just said that it wants to know. */
  tell(): void {
    if (this.#stopped || this.#deps.intervalMs === 0) return;
    if (this.#underWay) {
      this.#again = true;
      return;
    }
    this.#underWay = true;
    void this.#tell()
      .catch((error: unknown) => {
        const fields = { event: "figures_failed", error: describeError(error) };
        this.#deps.logger.warn(fields, "the figures for rollouts cannot be gathered");
      })
      .finally(() => {
        this.#underWay = false;
        if (!this.#again) return;
        this.#again = false;
        this.tell();
      });
  }

  #schedule(): void {
    const { clock, intervalMs } = this.#deps;
    this.#timer = clock.setTimer(intervalMs, () => {
      this.#schedule();
      this.tell();
    });
  }

  async #tell(): Promise<void> {
    if (!this.#deps.wanted()) return;
    await this.#errors.start(this.#deps.log);
    const figures = await this.#gather();
    // Meanwhile something else may have come to run, or the server may be gone.
    if (figures === undefined || this.#stopped || !this.#deps.wanted()) return;
    const data = encodeFigures(figures);
    this.#deps.send(create(CustomMessageSchema, { capability: figuresCapability, type: figuresType, data }));
  }

  async #gather(): Promise<Figures | undefined> {
    const { clock, collector, id, restarts } = this.#deps;
    const { process } = collector;
    const telemetry = process && (await this.#telemetry());
    const configuration = this.#configuration();
    if (configuration === undefined || process !== collector.process) return undefined;
    const now = clock.now();
    const known = process && processFigures(process.identity, now);
    return {
      at: now,
      configuration,
      ...(known && { process: known }),
      since_supervisor: {
        id,
        started_at: this.#startedAt,
        restarts: restarts(),
        error_logs: this.#errors.count,
      },
      ...(telemetry && { telemetry }),
    };
  }

  #configuration(): Figures["configuration"] | undefined {
    const { book, collector, state } = this.#deps;
    return configurationFigures(book, collector, state.get("remoteConfigStatus"));
  }

  async #telemetry(): Promise<Figures["telemetry"]> {
    const files = Object.values(this.#deps.state.get("effectiveConfig")?.configMap?.configMap ?? {});
    const address = metricsAddress(new TextDecoder().decode(files[0]?.body));
    const text = address && (await readMetrics(address));
    return text === undefined ? undefined : toFigures(text);
  }
}
