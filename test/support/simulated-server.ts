import { create } from "@bufbuild/protobuf";
import type { Clock } from "../../src/foundation/clock.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  RemoteConfigStatuses,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../../src/opamp/messages.ts";
import type { Verdict } from "../../src/supervisor/change/workshop.ts";
import { toPackagesAvailable } from "./simulated-programs.ts";
import type { SimulatedSupervisor } from "./simulated-supervisor.ts";

/** A remote configuration: its hash, and the word that makes it behave; no body stands for the empty map. */
export interface SimulatedOffer {
  hash: string;
  body: string | undefined;
}

/** A status as the server saw it. */
export interface SeenStatus {
  hash: string;
  verdict: Verdict;
  at: number;
}

/** What goes in one message. */
export interface SimulatedMessage {
  configuration?: SimulatedOffer;
  /** Name of an offer of packages. */
  packages?: string;
}

/**
 * An OpAMP server with one agent. It offers the newest configuration and packages again whenever the status that
 * it sees is of others, and what is due in one message, as OpAMP servers do.
 */
export class SimulatedServer {
  readonly statuses: SeenStatus[] = [];
  /** Hashes that were reported APPLIED at some time. */
  readonly applied = new Set<string>();
  desired: SimulatedOffer | undefined;
  desiredPackages: string | undefined;
  /** What it was told to send in one message. */
  readonly messages: SimulatedMessage[] = [];
  /** Hashes of configurations that were ever sent in one message with packages, also by chance. */
  readonly sentWithPackages = new Set<string>();
  readonly #clock: Clock;
  #supervisor: SimulatedSupervisor | undefined;
  /** What was sent since the supervisor connected. */
  #session: { configuration?: string; packages?: string; isAnswering?: boolean } | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get status(): SeenStatus | undefined {
    return this.statuses.at(-1);
  }

  /** "APPLYING a", "FAILED a": every status that it saw, in order. */
  get story(): string[] {
    return this.statuses.map(({ hash, verdict }) => `${verdict.t.toUpperCase()} ${hash}`);
  }

  push(message: SimulatedMessage): void {
    this.messages.push(message);
    this.desired = message.configuration ?? this.desired;
    this.desiredPackages = message.packages ?? this.desiredPackages;
    this.#send(message);
  }

  disconnected(): void {
    this.#supervisor = undefined;
    this.#session = undefined;
  }

  /** A supervisor that connects tells its status first, as far as it has one. */
  connected(supervisor: SimulatedSupervisor): void {
    const { lastRemoteConfigHash, status, errorMessage } = supervisor.reportedStatus;
    const { RemoteConfigStatuses_FAILED: failed, RemoteConfigStatuses_APPLIED: applied } =
      RemoteConfigStatuses;
    const hash = fromHash(lastRemoteConfigHash);
    const verdict =
      status === failed ? { t: "failed" as const, reason: errorMessage } : { t: "applied" as const };
    const isKnown = status === failed || status === applied;
    if (isKnown) this.statuses.push({ hash, verdict, at: this.#clock.monotonic() });
    this.#supervisor = supervisor;
    this.#session = {};
    this.#answer(supervisor, { named: hash, reports: "all" });
  }

  reported(supervisor: SimulatedSupervisor, configHash: Uint8Array, verdict: Verdict): void {
    const hash = fromHash(configHash);
    this.statuses.push({ hash, verdict, at: this.#clock.monotonic() });
    if (verdict.t === "applied") this.applied.add(hash);
    if (verdict.t !== "applying") this.#answer(supervisor, { named: hash, reports: "configuration" });
  }

  packagesReported(supervisor: SimulatedSupervisor): void {
    const { desiredPackages } = this;
    if (desiredPackages === undefined || supervisor.packages?.allHash === toHex(desiredPackages)) return;
    if (this.#session === undefined || this.#session.isAnswering === true) return;
    this.#session.isAnswering = true;
    const named = fromHash(supervisor.reportedStatus.lastRemoteConfigHash);
    this.#answer(supervisor, { named, reports: "packages" });
  }

  /** What is due is sent in one message, as `opamp-server` does it. */
  #answer(
    supervisor: SimulatedSupervisor,
    { named, reports }: { named: string; reports: "configuration" | "packages" | "all" },
  ): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#clock.setTimer(5, () => {
      if (reports === "packages") session.isAnswering = false;
      if (supervisor.life.over) return;
      const { desired, desiredPackages } = this;
      const namedPackages = supervisor.packages?.allHash ?? "";
      const due = {
        configuration:
          desired !== undefined &&
          desired.hash !== named &&
          (session.configuration !== desired.hash || reports === "configuration"),
        packages:
          desiredPackages !== undefined &&
          namedPackages !== toHex(desiredPackages) &&
          (session.packages !== desiredPackages || reports === "packages"),
      };
      this.#send({
        ...(due.configuration && desired && { configuration: desired }),
        ...(due.packages && desiredPackages && { packages: desiredPackages }),
      });
    });
  }

  #send(parts: { configuration?: SimulatedOffer; packages?: string }): void {
    const { configuration, packages } = parts;
    if (this.#session === undefined || Object.keys(parts).length === 0) return;
    if (configuration !== undefined && packages !== undefined) this.sentWithPackages.add(configuration.hash);
    Object.assign(this.#session, parts, configuration && { configuration: configuration.hash });
    this.#supervisor?.receive(toMessage(configuration, packages));
  }
}

/** An offer as a message. */
function toMessage(configuration: SimulatedOffer | undefined, packages: string | undefined): ServerToAgent {
  return create(ServerToAgentSchema, {
    ...(configuration && { remoteConfig: toRemoteConfig(configuration) }),
    ...(packages !== undefined && { packagesAvailable: toPackagesAvailable(packages) }),
  });
}

function toRemoteConfig({ hash, body }: SimulatedOffer): AgentRemoteConfig {
  const configMap =
    body === undefined ? {} : { "": { body: new TextEncoder().encode(body), contentType: "" } };
  return create(AgentRemoteConfigSchema, {
    configHash: new TextEncoder().encode(hash),
    config: { configMap },
  });
}

const fromHash = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const toHex = (hash: string) => Buffer.from(hash).toString("hex");
