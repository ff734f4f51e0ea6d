import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import { firstLine } from "../../foundation/first-line.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import {
  type AgentDescription,
  type AvailableComponents,
  type ComponentHealth,
  type CustomCapabilities,
  CustomCapabilitiesSchema,
  type EffectiveConfig,
  EffectiveConfigSchema,
  RemoteConfigStatuses,
} from "../../opamp/messages.ts";
import type { ConfigurationBook } from "../change/configuration-book.ts";
import type { Collector } from "../collector/collector.ts";
import type { CollectorEvent } from "../collector/collector-state.ts";
import { describeExit } from "../collector/process.ts";
import { redactTelemetry } from "../configuration/redact-telemetry.ts";
import { type Attributes, toAgentDescription } from "./agent-description.ts";
import { describeHealth, type HealthFacts, sameConcerns } from "./health.ts";

interface ReporterDeps {
  state: ReportedState;
  collector: Collector;
  book: ConfigurationBook;
  clock: Clock;
  overrides: Attributes;
  /** Custom capabilities of the supervisor itself. */
  ownCustomCapabilities: readonly string[];
  /** The configuration that is to run, secrets redacted, for the time before the Collector has reported its own. */
  redactedText(snapshotId: string): Promise<string | undefined>;
  mask(text: string): string;
  /** What is to be said of the connection to the server. */
  concerns(): HealthFacts["concerns"];
}

/** Keeps what the server is told in step with what really is. */
export class Reporter {
  readonly #deps: ReporterDeps;
  #own: Attributes = { identifying: {}, nonIdentifying: {} };
  #reportedDescription: AgentDescription | undefined;
  #reportedHealth: { mark: string; health: ComponentHealth } | undefined;
  #lastExit: string | undefined;
  /** Which snapshot the effective configuration in the report is of. */
  #effectiveMark: string | undefined;
  #shuttingDown = false;
  #stopped = false;
  #stopObserving: () => void = () => undefined;

  constructor(deps: ReporterDeps) {
    this.#deps = deps;
  }

  /** `own` is what this host says of the agent; what the Collector says of itself comes over it. */
  start(own: Attributes): void {
    this.#own = own;
    this.#stopObserving = this.#deps.collector.observe((event) => this.#onEvent(event));
    this.#catchUp();
    this.#describe();
    this.refresh();
  }

  /** A Collector that an earlier supervisor left may have dialled in, and said everything, before anybody listened. */
  #catchUp(): void {
    const { link } = this.#deps.collector;
    if (link === undefined) return;
    const { mark, health, effectiveConfig } = link;
    if (effectiveConfig !== undefined) this.#onEvent({ t: "effective-config", mark, effectiveConfig });
    if (health !== undefined) this.#onEvent({ t: "health", mark, health });
  }

  /** Another configuration, or none, has come to run. */
  refresh(): void {
    this.#refreshHealth();
    void this.#refreshEffectiveConfig();
  }

  /** What was said last stands: the Collector lives on for another supervisor to report. */
  stop(): void {
    this.#stopped = true;
    this.#stopObserving();
  }

  /** The last health before good-bye, in the reference's words. */
  shuttingDown(): void {
    this.#shuttingDown = true;
    this.#refreshHealth();
  }

  described(description: AgentDescription): void {
    this.#reportedDescription = description;
    this.#describe();
  }

  /** A new instance UID: what the Collector said before carries the old one. */
  identified(own: Attributes): void {
    this.#own = own;
    this.#reportedDescription = undefined;
    this.#describe();
  }

  /** The Collector is another program now; it has already said so itself. */
  programChanged(own: Attributes): void {
    this.#own = own;
    this.#describe();
  }

  components(components: AvailableComponents): void {
    this.#deps.state.set("availableComponents", components);
  }

  /** Of the Collector; the supervisor's own go with them. */
  customCapabilities({ capabilities }: Pick<CustomCapabilities, "capabilities">): void {
    const { state, ownCustomCapabilities: own } = this.#deps;
    const all = [...own, ...capabilities.filter((capability) => !own.includes(capability))];
    state.set("customCapabilities", create(CustomCapabilitiesSchema, { capabilities: all }));
  }

  #describe(): void {
    const { state, overrides } = this.#deps;
    state.set("agentDescription", toAgentDescription(this.#own, overrides, this.#reportedDescription));
  }

  #onEvent(event: CollectorEvent): void {
    switch (event.t) {
      case "health":
        this.#reportedHealth = { mark: event.mark, health: event.health };
        break;
      case "effective-config":
        this.#effectiveMark = event.mark;
        this.#deps.state.set("effectiveConfig", withoutTelemetryHeaders(event.effectiveConfig));
        break;
      case "exited":
        this.#lastExit = `the Collector ended: ${describeExit(event.exit)}`;
        break;
      case "start-failed":
        this.#lastExit = `the Collector cannot be started: ${event.error.message}`;
        break;
      case "state":
        // A new launch or reload has said nothing yet.
        if (event.state.t === "starting") {
          this.#reportedHealth = undefined;
          this.#lastExit = undefined;
        }
        break;
      case "linked":
      case "unlinked":
        return;
    }
    this.#refreshHealth();
  }

  #refreshHealth(): void {
    if (this.#stopped) return;
    const { state, collector, clock } = this.#deps;
    if (this.#shuttingDown) {
      const health = describeHealth({ ...this.#facts(), lastExit: "Supervisor is shutdown" });
      state.set("health", { ...health, healthy: false, lastError: "Supervisor is shutdown" });
      return;
    }
    const facts = { ...this.#facts(), state: collector.state, now: clock.now() };
    const next = describeHealth(facts);
    const previous = state.get("health");
    // The time alone is no news.
    const same =
      previous?.healthy === next.healthy &&
      previous.status === next.status &&
      previous.lastError === next.lastError &&
      sameConcerns(previous, next);
    // What the Collector says of itself carries a time of its own.
    const isItsOwn = facts.state.t === "running" || facts.state.t === "starting";
    if (same && (facts.reported === undefined || !isItsOwn)) return;
    state.set("health", this.#masked(next));
  }

  /** Errors quote the configuration, at every depth. */
  #masked(health: ComponentHealth): ComponentHealth {
    const children = Object.entries(health.componentHealthMap);
    return {
      ...health,
      lastError: this.#deps.mask(health.lastError),
      componentHealthMap: Object.fromEntries(children.map(([name, child]) => [name, this.#masked(child)])),
    };
  }

  #facts(): HealthFacts {
    const { state, collector, clock } = this.#deps;
    const { errorMessage = "" } = state.get("remoteConfigStatus") ?? {};
    return {
      state: collector.state,
      reported: this.#reportedHealth?.health,
      running: this.running,
      failure: this.#hasFailed() ? firstLine(errorMessage) : undefined,
      lastExit: this.#lastExit,
      concerns: this.#deps.concerns(),
      now: clock.now(),
    };
  }

  #hasFailed(): boolean {
    const status = this.#deps.state.get("remoteConfigStatus")?.status;
    return status === RemoteConfigStatuses.RemoteConfigStatuses_FAILED;
  }

  /** What kind of configuration runs. */
  get running(): HealthFacts["running"] {
    const { collector, book } = this.#deps;
    const { current } = book;
    const { state } = collector;
    // A change that is being proven, or one that is gone back to or made do with: the book does not know yet.
    if ("launch" in state && state.launch.mark !== current?.id) return state.launch.role;
    if (current === null) return "none";
    return current.id === null ? "stopped" : current.role;
  }

  async #refreshEffectiveConfig(): Promise<void> {
    const { book, collector, state } = this.#deps;
    const { current } = book;
    if (current === null || current.id === this.#effectiveMark) return;
    if (current.id === null) {
      this.#effectiveMark = undefined;
      if (collector.process === undefined) state.set("effectiveConfig", effectiveConfig(""));
      return;
    }
    const text = await this.#deps.redactedText(current.id);
    // The Collector may have answered for itself meanwhile.
    if (text === undefined || current.id === this.#effectiveMark || collector.link?.mark === current.id)
      return;
    state.set("effectiveConfig", effectiveConfig(text));
  }
}

function withoutTelemetryHeaders(reported: EffectiveConfig): EffectiveConfig {
  const files = Object.entries(reported.configMap?.configMap ?? {}).map(([name, file]) => {
    const text = new TextDecoder().decode(file.body);
    const redacted = redactTelemetry(text);
    return [name, redacted === text ? file : { ...file, body: new TextEncoder().encode(redacted) }] as const;
  });
  return create(EffectiveConfigSchema, { configMap: { configMap: Object.fromEntries(files) } });
}

function effectiveConfig(text: string): EffectiveConfig {
  const body = new TextEncoder().encode(text);
  return create(EffectiveConfigSchema, {
    configMap: { configMap: { "": { body, contentType: "text/yaml" } } },
  });
}
