import type { Logger } from "../../src/foundation/logger.ts";
import { type BookContent, emptyBook, faultHash } from "../../src/supervisor/change/configuration-book.ts";
import type { JournalEntry } from "../../src/supervisor/change/journal.ts";
import type { ConfigurationInputs } from "../../src/supervisor/change/snapshots.ts";
import { ManualClock } from "./manual-clock.ts";
import { type SimulatedCollector, SimulatedHost } from "./simulated-collectors.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import type { CrashPoint } from "./simulated-life.ts";
import { executableOf, localExecutable } from "./simulated-programs.ts";
import { type SeenStatus, type SimulatedOffer, SimulatedServer } from "./simulated-server.ts";
import { currentSet } from "./simulated-store.ts";
import { SimulatedSupervisor } from "./simulated-supervisor.ts";
import { behaviourOf, type SimulatedText } from "./simulated-text.ts";

export interface WorldOptions {
  /** `agent.use_hup_config_reload`. */
  mayReload: boolean;
  /** The one file of `agent.startup_fallback_configs`. */
  fallback: string | undefined;
  localFiles: Readonly<Record<string, string>>;
  /** Whether `agent.executable` is there; "later" it is named, but nothing lies there yet. */
  local: "there" | "later" | "none";
}

/** A configuration that a Collector has read, by its mark. */
interface KnownMark {
  remoteHash: string | undefined;
  packages: string | null;
  proven: boolean;
}

/** A host, a server and supervisors that come and go, all in memory and in simulated time. */
export class World {
  readonly clock = new ManualClock();
  readonly disk = new SimulatedDisk();
  readonly server = new SimulatedServer(this.clock);
  readonly host: SimulatedHost;
  readonly options: WorldOptions;
  readonly log: Logger | undefined;
  /** `<binary> validate` does not answer. */
  validateHangs = false;
  localFiles: Readonly<Record<string, string>>;
  supervisor: SimulatedSupervisor | undefined;
  /** What must never happen, and did. */
  readonly violations = new Set<string>();
  readonly marks = new Map<string, KnownMark>();
  /** Marks under which each program was started. */
  readonly starts = new Map<string, Set<string>>();
  /** The network to the packages works. */
  online = true;
  /** `agent.executable` is there. */
  hasLocal: boolean;
  /** Supervisors that ended. */
  endings = 0;
  #markCount = 0;
  /** A Collector that hangs quietly can outlive a probation that it would have failed. */
  wasFrozen = false;
  wasEdited = false;

  constructor(options: Partial<WorldOptions> = {}, log?: Logger) {
    const usual = { mayReload: true, fallback: undefined, local: "there" } as const;
    this.options = { ...usual, localFiles: {}, ...options };
    this.hasLocal = this.options.local === "there";
    this.localFiles = this.options.localFiles;
    this.log = log;
    this.host = new SimulatedHost({
      clock: this.clock,
      readConfig: (path) => {
        const data = this.disk.files.get(path);
        return data && new TextDecoder().decode(data);
      },
      packages: () => currentSet(this.disk),
      onRead: (collector, text) => this.#onRead(collector, text),
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

  /** The one that lives. */
  get running() {
    return this.host.alive[0];
  }

  /** The last status that the server saw. */
  get status(): SeenStatus | undefined {
    return this.server.status;
  }

  /** "APPLYING a", "FAILED a": every status that the server saw, in order. */
  get story(): string[] {
    return this.server.story;
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

  async offer(configuration: SimulatedOffer): Promise<void> {
    this.server.push({ configuration });
    await flush();
  }

  /** Packages, and perhaps a configuration in the same message. */
  async offerPackages(packages: string, configuration?: SimulatedOffer): Promise<void> {
    this.server.push({ packages, ...(configuration && { configuration }) });
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

  /** Somebody installs the Collector that `agent.executable` names. */
  installLocal(): void {
    if (this.options.local === "later") this.hasLocal = true;
  }

  async restartCommand(): Promise<void> {
    this.supervisor?.restartCollector();
    await flush();
  }

  /** An operator takes back what runs, if there is anything to go back to. An order to stop is let be. */
  async rollBack(): Promise<void> {
    if (this.supervisor?.book.current?.id !== null) void this.supervisor?.rollBack();
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
    this.online = true;
    await this.killSupervisor({ effect: Number.POSITIVE_INFINITY, when: "before" });
    await this.advance(60_000);
    await this.startSupervisor();
    await this.advance(40 * 60_000);
  }

  supervisorEnded(supervisor: SimulatedSupervisor): void {
    if (this.supervisor !== supervisor) return;
    this.endings += 1;
    this.supervisor = undefined;
    this.server.disconnected();
    this.host.listener = undefined;
    for (const collector of this.host.alive) collector.connectionLost();
  }

  merged(mark: string, { remote, packages }: ConfigurationInputs): void {
    const proven = this.marks.get(mark)?.proven ?? false;
    this.marks.set(mark, { remoteHash: remote && fromHash(remote.configHash), packages, proven });
  }

  /** What runs, or is gone back to, must not lose its packages. */
  deletedSet(id: string): void {
    const { current, wayBack, olderPackages } = this.book;
    const journal = this.disk.json<JournalEntry | null>("journal.json", null);
    const mayRun = journal !== null && ["switching", "proving", "keeping"].includes(journal.step);
    const candidate = mayRun ? this.marks.get(journal.id)?.packages : undefined;
    const needed = [
      current?.packages,
      ...wayBack.map(({ packages }) => packages),
      ...olderPackages,
      candidate,
    ];
    if (needed.includes(id)) this.violations.add(`package set ${id} was deleted though it is needed`);
  }

  #onRead(collector: SimulatedCollector, text: SimulatedText): void {
    const { packages, executable } = collector;
    const starts = this.starts.get(executable) ?? new Set();
    this.starts.set(executable, starts.add(text.mark));
    const expected = this.marks.get(text.mark)?.packages ?? null;
    if (packages !== expected)
      this.violations.add(`a Collector was started with packages ${packages} in place of ${expected}`);
    if (executable !== (executableOf(expected?.split("+") ?? []) ?? localExecutable))
      this.violations.add(`${executable} was started for packages ${expected}`);
    const behaviour = behaviourOf(text);
    if (["refused", "restricted", "malformed"].includes(behaviour)) {
      this.violations.add(`a Collector was started with a configuration that is ${behaviour}`);
    }
    const { current, wayBack } = this.book;
    const reference = [current, ...wayBack].find((each) => each?.id === text.mark);
    const known = this.marks.get(text.mark);
    // What a configuration failed with is no fault of one that comes with other packages.
    const bringsPackages = (known?.packages ?? null) !== (current?.packages ?? null);
    const remoteHash = bringsPackages ? undefined : known?.remoteHash;
    const hashes = [reference && faultHash(reference), remoteHash && toHex(remoteHash)];
    // The only one that ever worked is come back to, though no offer makes it run.
    // On a full disk the book in memory counts.
    const { quarantined: failed } = this.supervisor?.book ?? this.book;
    const quarantined = failed.find(({ hash, worked }) => hashes.includes(hash) && worked !== true);
    const isLastResort = reference?.role === "bootstrap" || reference?.role === "fallback";
    // What worked before is gone back to, whatever was said against its hash since.
    const isOnWayBack = wayBack.some(
      ({ id, remoteHash }) => id === text.mark || remoteHash === quarantined?.hash,
    );
    if (quarantined !== undefined && !isLastResort && !isOnWayBack) {
      this.violations.add(`a quarantined configuration was started (${text.mark}): ${quarantined.reason}`);
    }
  }
}

const fromHash = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const toHex = (hash: string) => Buffer.from(hash).toString("hex");

/** Lets every promise that can settle do so. */
function flush(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
