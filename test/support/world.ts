import { create } from "@bufbuild/protobuf";
import type { Logger } from "../../src/foundation/logger.ts";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  RemoteConfigStatuses,
} from "../../src/opamp/messages.ts";
import { type BookContent, emptyBook, faultHash } from "../../src/supervisor/change/configuration-book.ts";
import type { Verdict } from "../../src/supervisor/change/workshop.ts";
import { ManualClock } from "./manual-clock.ts";
import { behaviourOf, SimulatedHost, type SimulatedText } from "./simulated-collectors.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import type { CrashPoint } from "./simulated-life.ts";
import { SimulatedSupervisor } from "./simulated-supervisor.ts";

export interface WorldOptions {
  /** `agent.use_hup_config_reload`. */
  mayReload: boolean;
  /** The one file of `agent.startup_fallback_configs`. */
  fallback: string | undefined;
  localFiles: Readonly<Record<string, string>>;
}

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

/** A configuration that a Collector has read, by its mark. */
interface KnownMark {
  remoteHash: string | undefined;
  proven: boolean;
}

/**
 * A host, a server and supervisors that come and go, all in memory and in simulated time. The server offers the
 * newest configuration again whenever the status that it sees is of another one, as OpAMP servers do.
 */
export class World {
  readonly clock = new ManualClock();
  readonly disk = new SimulatedDisk();
  readonly host: SimulatedHost;
  readonly options: WorldOptions;
  readonly log: Logger | undefined;
  /** `<binary> validate` does not answer. */
  validateHangs = false;
  localFiles: Readonly<Record<string, string>>;
  supervisor: SimulatedSupervisor | undefined;
  readonly statuses: SeenStatus[] = [];
  /** What must never happen, and did. */
  readonly violations = new Set<string>();
  desired: SimulatedOffer | undefined;
  /** Hashes that were reported APPLIED at some time. */
  readonly applied = new Set<string>();
  readonly marks = new Map<string, KnownMark>();
  #markCount = 0;
  /** A Collector that hangs quietly can outlive a probation that it would have failed. */
  wasFrozen = false;
  wasEdited = false;

  constructor(options: Partial<WorldOptions> = {}, log?: Logger) {
    this.options = { mayReload: true, fallback: undefined, localFiles: {}, ...options };
    this.localFiles = this.options.localFiles;
    this.log = log;
    this.host = new SimulatedHost({
      clock: this.clock,
      readConfig: (path) => {
        const data = this.disk.files.get(path);
        return data && new TextDecoder().decode(data);
      },
      onRead: (text) => this.#onRead(text),
      onHealthy: ({ mark }) => {
        const known = this.marks.get(mark);
        if (known !== undefined) known.proven = true;
      },
      onViolation: (text) => this.violations.add(text),
    });
  }

  readonly newMark = (): string => {
    this.#markCount += 1;
    return this.#markCount.toString(16).padStart(6, "0");
  };

  get status(): SeenStatus | undefined {
    return this.statuses.at(-1);
  }

  /** "APPLYING a", "FAILED a": every status that the server saw, in order. */
  get story(): string[] {
    return this.statuses.map(({ hash, verdict }) => `${verdict.t.toUpperCase()} ${hash}`);
  }

  /** The one that lives. */
  get running() {
    return this.host.alive[0];
  }

  get book(): BookContent {
    return this.disk.json<BookContent>("book.json", emptyBook);
  }

  async startSupervisor(): Promise<void> {
    if (this.supervisor !== undefined) return;
    const supervisor = new SimulatedSupervisor(this);
    this.supervisor = supervisor;
    this.host.listener = supervisor;
    supervisor.start().catch((error: unknown) => {
      this.violations.add(`the supervisor did not start: ${String(error)}`);
      supervisor.life.end();
    });
    await flush();
  }

  /** kill -9, now or at a later moment of its work. */
  async killSupervisor(point?: CrashPoint): Promise<void> {
    if (point === undefined) this.supervisor?.life.end();
    else this.supervisor?.life.crashAt(point);
    await flush();
  }

  async leave(how: "stop" | "hand-over"): Promise<void> {
    const left = this.supervisor?.leave(how);
    if (left === undefined) return;
    for (let waited = 0; waited < 60_000 && this.supervisor !== undefined; waited += 100) {
      await this.advance(100);
    }
    if (this.supervisor !== undefined)
      this.violations.add(`the supervisor did not end within a minute (${how})`);
  }

  async offer(offer: SimulatedOffer): Promise<void> {
    this.desired = offer;
    this.supervisor?.offer(toMessage(offer));
    await flush();
  }

  async offerOwnTelemetry(endpoint: string): Promise<void> {
    this.wasEdited = true;
    this.supervisor?.offerOwnTelemetry(endpoint);
    await flush();
  }

  async editLocal(files: Readonly<Record<string, string>>): Promise<void> {
    this.localFiles = files;
    this.wasEdited = true;
    this.supervisor?.localFilesChanged();
    await flush();
  }

  async restartCommand(): Promise<void> {
    this.supervisor?.restartCollector();
    await flush();
  }

  async killCollector(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    this.running?.signal(signal);
    await flush();
  }

  async freezeCollector(): Promise<void> {
    const { running } = this;
    if (running === undefined) return;
    running.frozen = true;
    this.wasFrozen = true;
    const ping = () => {
      if (!running.alive) return;
      if (running.linked) this.supervisor?.unanswered();
      this.clock.setTimer(30_000, ping);
    };
    this.clock.setTimer(30_000, ping);
    await flush();
  }

  /** Lets simulated time pass; whatever falls due is worked off before what comes after it. */
  async advance(ms: number): Promise<void> {
    const end = this.clock.monotonic() + ms;
    await flush();
    for (;;) {
      const [next] = this.clock.pending;
      const left = end - this.clock.monotonic();
      if (next === undefined || next > left) {
        this.clock.advance(left);
        return;
      }
      this.clock.advance(next);
      await flush();
    }
  }

  /** Ends all faults, brings the supervisor back and waits until everything must have come to rest. */
  async settle(): Promise<void> {
    this.disk.full = false;
    this.host.portTaken = false;
    this.validateHangs = false;
    await this.killSupervisor({ effect: Number.POSITIVE_INFINITY, when: "before" });
    await this.advance(60_000);
    await this.startSupervisor();
    await this.advance(40 * 60_000);
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
    if (isKnown) this.statuses.push({ hash, verdict, at: this.clock.monotonic() });
    this.#compare(supervisor, hash);
  }

  supervisorEnded(supervisor: SimulatedSupervisor): void {
    if (this.supervisor !== supervisor) return;
    this.supervisor = undefined;
    this.host.listener = undefined;
    for (const collector of this.host.alive) collector.connectionLost();
  }

  reported(supervisor: SimulatedSupervisor, configHash: Uint8Array, verdict: Verdict): void {
    const hash = fromHash(configHash);
    this.statuses.push({ hash, verdict, at: this.clock.monotonic() });
    if (verdict.t === "applied") this.applied.add(hash);
    if (verdict.t !== "applying") this.#compare(supervisor, hash);
  }

  merged(mark: string, remote: AgentRemoteConfig | undefined): void {
    const proven = this.marks.get(mark)?.proven ?? false;
    this.marks.set(mark, { remoteHash: remote && fromHash(remote.configHash), proven });
  }

  #onRead(text: SimulatedText): void {
    const behaviour = behaviourOf(text);
    if (["refused", "restricted", "malformed"].includes(behaviour)) {
      this.violations.add(`a Collector was started with a configuration that is ${behaviour}`);
    }
    const { current, wayBack } = this.book;
    const reference = [current, ...wayBack].find((each) => each?.id === text.mark);
    const known = this.marks.get(text.mark);
    const hashes = [reference && faultHash(reference), known?.remoteHash && toHex(known.remoteHash)];
    const quarantined = this.book.quarantined.find(({ hash }) => hashes.includes(hash));
    const isLastResort = reference?.role === "bootstrap" || reference?.role === "fallback";
    // What worked before is gone back to, whatever was said against its hash since.
    const isOnWayBack = wayBack.some(
      ({ id, remoteHash }) => id === text.mark || remoteHash === quarantined?.hash,
    );
    if (quarantined !== undefined && !isLastResort && !isOnWayBack) {
      this.violations.add(`a quarantined configuration was started (${text.mark}): ${quarantined.reason}`);
    }
  }

  #compare(supervisor: SimulatedSupervisor, hash: string): void {
    this.clock.setTimer(5, () => {
      const { desired } = this;
      if (supervisor.life.over || desired === undefined || desired.hash === hash) return;
      supervisor.offer(toMessage(desired));
    });
  }
}

/** An offer as a message. */
function toMessage({ hash, body }: SimulatedOffer): AgentRemoteConfig {
  const configMap =
    body === undefined ? {} : { "": { body: new TextEncoder().encode(body), contentType: "" } };
  return create(AgentRemoteConfigSchema, {
    configHash: new TextEncoder().encode(hash),
    config: { configMap },
  });
}

const fromHash = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const toHex = (hash: string) => Buffer.from(hash).toString("hex");

/** Lets every promise that can settle do so. */
function flush(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
