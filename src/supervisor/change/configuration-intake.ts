import { toHex } from "../../foundation/hex.ts";
import type { AgentRemoteConfig, ConnectionSettingsOffers } from "../../opamp/messages.ts";
import { configurationEntries } from "../trust/signed-entries.ts";
import type { Change, ChangeRecord, Failure } from "./change.ts";
import { ConfigurationChange } from "./configuration-change.ts";
import { HostRetry } from "./host-retry.ts";
import { withoutBroken } from "./local-files.ts";
import { mergeOwnTelemetry } from "./own-telemetry.ts";
import type { Road } from "./road.ts";
import { readRollback } from "./rollback.ts";
import type { ConfigurationInputs } from "./snapshots.ts";
import { StopChange } from "./stop-change.ts";
import { bringsPackages, type Trigger } from "./trigger.ts";
import type { WayBack } from "./way-back.ts";
import type { NewMark, Workshop } from "./workshop.ts";

/** What is told, and journalled, of a change of own telemetry. */
const ownTelemetryChange = "own telemetry";

interface IntakeDeps {
  workshop: Workshop;
  road: Road;
  wayBack: WayBack;
  newMark: NewMark;
  /** Reads the local files as they are now. */
  readLocalFiles(): Promise<Readonly<Record<string, string>>>;
  /** Told how an offer of own telemetry ended; no failure means that it was kept. */
  ownTelemetrySettled?: (hash: Uint8Array, failure: Failure | undefined) => void;
  /** The same of a change that brought packages. */
  packagesSettled?: (packages: string | null, failure: Failure | undefined) => void;
  /** Writes down the offer that this host could not take and tries again, or that there is none. Must not reject. */
  saveWaiting?: (offer: AgentRemoteConfig | undefined) => Promise<unknown>;
  random?: () => number;
}

/** Turns what the server offers and what is edited on this host into changes on the road. */
export class ConfigurationIntake {
  readonly #deps: IntakeDeps;
  #accepted: ConfigurationInputs;
  /** Hash of the remote configuration that waits or is under way. */
  #pending: string | undefined;
  /** Came with packages, and waits with them. */
  #waitsWithPackages: AgentRemoteConfig | undefined;
  /** What this host could not take, and tries again. */
  #waiting: AgentRemoteConfig | undefined;
  /** An offer of own telemetry waits for its turn on the road. */
  #telemetryWaits = false;
  readonly #retry: HostRetry;
  readonly #localRetry: HostRetry;

  constructor(accepted: ConfigurationInputs, deps: IntakeDeps) {
    this.#accepted = accepted;
    this.#deps = deps;
    const retry = { clock: deps.workshop.clock, ...(deps.random && { random: deps.random }) };
    this.#retry = new HostRetry(retry);
    this.#localRetry = new HostRetry(retry);
  }

  get accepted(): ConfigurationInputs {
    return this.#accepted;
  }

  /** What was kept, or gone back to. */
  accept(inputs: ConfigurationInputs): void {
    this.#accepted = inputs;
  }

  /** Content hash of what the inputs of this moment would merge to. */
  async presentContentHash(): Promise<string> {
    const localFiles = await this.#readLocalFiles();
    const merged = await this.#deps.workshop.merge({ ...this.#accepted, localFiles }, this.#deps.newMark());
    return merged.contentHash;
  }

  /** A remote configuration from the server, or from disk at the start. */
  async offerRemote(offer: AgentRemoteConfig): Promise<void> {
    const { workshop, road } = this.#deps;
    const { book } = workshop;
    const hash = toHex(offer.configHash);
    const log = { event: "config_received", config_hash: hash, config_size_bytes: sizeOf(offer) };
    workshop.logger.info(log, "the server offers a configuration");
    if (this.#pending === hash) return;
    this.#retry.cancel();
    // Latest wins, also over one that needs no change and therefore never settles.
    if (this.#waiting !== undefined && toHex(this.#waiting.configHash) !== hash) this.#forgetWaiting();
    if (book.quarantineOf(hash) !== undefined) {
      // Latest wins: an older offer that still waits is not what the server wants any more.
      road.withdraw("remote");
      this.#pending = undefined;
      await this.#repeatRefusal(offer);
      return;
    }
    this.#pending = hash;
    road.offer("remote", async () => {
      let change: Change | undefined;
      try {
        // The same offer may have been under way while this one waited.
        const refused = await this.#repeatRefusal(offer);
        // What nobody vouches for must not set free what failed here.
        if (!refused && (await workshop.distrust(offer)) === undefined) await book.forgetOffersBefore(hash);
        const settled = refused || (await this.#alreadyRuns(offer));
        change = settled ? undefined : await this.#remoteChange(offer);
        return change;
      } finally {
        if (change === undefined) this.#notPending(offer);
      }
    });
  }

  /** Whether an offer of the server waits or is under way. */
  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  /** Whether this is the configuration that runs. */
  runs({ configHash }: AgentRemoteConfig): boolean {
    return this.#deps.workshop.book.current?.remoteHash === toHex(configHash);
  }

  /** Something on this host changed: a local file, the instance UID, what the binary can do. */
  changeLocal(what: string): void {
    this.#deps.road.offer("local", async () => {
      const { book } = this.#deps.workshop;
      if (book.current !== null && book.current.id === null) return undefined;
      const localFiles = await this.#readLocalFiles();
      const inputs = { ...this.#accepted, localFiles };
      return this.#change({ t: "local", what }, inputs);
    });
  }

  /** Whoever offers waits for `ownTelemetrySettled` before it offers again. */
  offerOwnTelemetry(ownTelemetry: ConnectionSettingsOffers): void {
    this.#telemetryWaits = true;
    this.#deps.road.offer("own-telemetry", async () => {
      this.#telemetryWaits = false;
      const { workshop } = this.#deps;
      const known = await this.#known();
      const inputs = { ...known, ownTelemetry: mergeOwnTelemetry(known.ownTelemetry, ownTelemetry) };
      if (workshop.book.current !== null && workshop.book.current.id === null) {
        // Told to run no Collector: it is for the next configuration.
        await workshop.saveKept(inputs);
        this.#deps.ownTelemetrySettled?.(ownTelemetry.hash, undefined);
        return undefined;
      }
      return this.#change({ t: "local", what: ownTelemetryChange }, inputs);
    });
  }

  /**
   * The packages of an offer are on this host: makes them what runs, in one change with the configuration that came
   * in the same message.
   */
  offerPackages(packages: string | null, remote?: AgentRemoteConfig): void {
    this.withdrawPackages();
    if (remote !== undefined) {
      // Latest wins: what waits is older than what came with the packages.
      this.#deps.road.withdraw("remote");
      this.#retry.cancel();
      this.#waiting = undefined;
      void this.#deps.saveWaiting?.(undefined);
      this.#pending = toHex(remote.configHash);
      this.#waitsWithPackages = remote;
    }
    this.#deps.road.offer("packages", async () => {
      this.#waitsWithPackages = undefined;
      const { current } = this.#deps.workshop.book;
      // One that runs already is not to fail with packages that do.
      if (remote !== undefined && (await this.#alreadyRuns(remote))) {
        this.#notPending(remote);
        remote = undefined;
      }
      const trigger: Trigger =
        remote === undefined ? { t: "packages" } : { t: "remote", offer: remote, withPackages: true };
      if (remote === undefined && current?.id === null) {
        const reason = "the order is to run no Collector: it is installed with the next configuration";
        this.#deps.packagesSettled?.(packages, { fault: "host", reason });
        return undefined;
      }
      // Packages are judged with what runs, and not with an edit that failed.
      const runs = current !== null && current.role !== "fallback";
      const inputs = { ...(runs ? this.#accepted : await this.#known()), packages };
      return this.#change(trigger, remote === undefined ? inputs : { ...inputs, remote });
    });
  }

  /** Newer packages are offered: those that wait for their turn on the road are not wanted any more. */
  withdrawPackages(): void {
    this.#deps.road.withdraw("packages");
    if (this.#waitsWithPackages !== undefined) this.#notPending(this.#waitsWithPackages);
    this.#waitsWithPackages = undefined;
  }

  /** Whether this host has configuration files of its own. */
  async hasLocalFiles(): Promise<boolean> {
    return Object.keys(await this.#readLocalFiles()).length > 0;
  }

  /** Goes on trying what an earlier process could not do. */
  async resumeWaiting(offer: AgentRemoteConfig): Promise<void> {
    const isRefused = this.#deps.workshop.book.quarantineOf(toHex(offer.configHash)) !== undefined;
    if (this.#pending !== undefined || isRefused || this.runs(offer)) {
      if (this.#pending !== toHex(offer.configHash)) this.#forgetWaiting();
      return;
    }
    this.#waiting = offer;
    await this.offerRemote(offer);
  }

  #forgetWaiting(): void {
    this.#waiting = undefined;
    void this.#deps.saveWaiting?.(undefined);
  }

  /** Tries again at once what this host could not do before: it has changed. */
  retryNow(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#retry.cancel();
    this.#waiting = undefined;
    void this.offerRemote(waiting);
  }

  /** What an offer is judged with: what is known to work here, and not an edit that is yet to be tried. */
  async #known(): Promise<ConfigurationInputs> {
    const isKnown = Object.keys(this.#accepted.localFiles).length > 0;
    const localFiles = isKnown ? this.#accepted.localFiles : await this.#readLocalFiles();
    return { ...this.#accepted, localFiles };
  }

  /** Builds a change again that an earlier process left in the journal. */
  async rebuild(record: ChangeRecord): Promise<Change | undefined> {
    const inputs = await this.#deps.workshop.snapshots.loadInputs(record.id);
    if (inputs === undefined) return undefined;
    const { trigger, what, contentHash } = record.detail;
    if (trigger === "stop" && inputs.remote !== undefined) {
      const offer = inputs.remote;
      return new StopChange(record.id, offer, inputs, this.#deps.workshop, (failure) =>
        this.#settled(offer, failure),
      );
    }
    const staged = { id: record.id, contentHash: typeof contentHash === "string" ? contentHash : "" };
    if (trigger === "remote" && inputs.remote !== undefined) {
      this.#pending = toHex(inputs.remote.configHash);
      const withPackages = record.detail.withPackages === true;
      return this.#change({ t: "remote", offer: inputs.remote, withPackages }, inputs, { staged });
    }
    const known: Trigger | undefined =
      trigger === "packages" ? { t: "packages" } : readRollback(record.detail);
    return this.#change(known ?? { t: "local", what: String(what) }, inputs, { staged });
  }

  /** Asks anew for a local change that an earlier process had only begun. */
  async repeatLocal({ id, detail }: ChangeRecord): Promise<void> {
    const offered = (await this.#deps.workshop.snapshots.loadInputs(id))?.ownTelemetry;
    if (detail.what !== ownTelemetryChange || offered === undefined) this.changeLocal(String(detail.what));
    // What is offered by now is what the server wants.
    else if (!this.#telemetryWaits) this.offerOwnTelemetry(offered);
  }

  /** A failure of the host is tried again, at growing intervals, until another offer comes. */
  #settled(offer: AgentRemoteConfig, failure: Failure | undefined): void {
    this.#notPending(offer);
    if (failure === undefined) {
      this.#retry.worked();
      this.#waiting = undefined;
    }
    // The first one that this host ever had: its own files are the next best thing.
    else if (this.#deps.workshop.book.current === null) this.changeLocal("start");
    // A newer offer that waits is what is wanted; this one is not to come back over it.
    const again = failure?.fault === "host" && this.#pending === undefined;
    void this.#deps.saveWaiting?.(again ? offer : undefined);
    if (!again) return;
    this.#waiting = offer;
    this.#retry.later(() => void this.offerRemote(offer));
  }

  /** The same for what something on this host asked for. */
  #settledLocal(what: string, failure: Failure | undefined): void {
    if (failure === undefined) this.#localRetry.worked();
    else if (failure.fault === "host") this.#localRetry.later(() => this.changeLocal(what));
    else this.#localRetry.cancel();
  }

  stop(): void {
    this.#retry.cancel();
    this.#localRetry.cancel();
  }

  /** What failed by its own fault is not tried again, only told again. */
  async #repeatRefusal(offer: AgentRemoteConfig): Promise<boolean> {
    const { workshop } = this.#deps;
    const refused = workshop.book.quarantineOf(toHex(offer.configHash));
    if (refused === undefined) return false;
    await workshop.reportRemote(offer, { t: "failed", reason: refused.reason });
    return true;
  }

  /** The same configuration runs and is well: nothing to do but to say so. */
  async #alreadyRuns(offer: AgentRemoteConfig): Promise<boolean> {
    const { workshop } = this.#deps;
    const { book, collector } = workshop;
    const { current } = book;
    if (current === null || current.remoteHash !== toHex(offer.configHash) || current.role === "fallback")
      return false;
    const runs = current.id === null ? collector.process === undefined : collector.state.t === "running";
    if (!runs || !(await this.#isWhole(current.id))) return false;
    await book.relabel({ ...current, role: "desired", cause: "remote" });
    await workshop.reportRemote(offer, { t: "applied" });
    workshop.labelChanged();
    return true;
  }

  /** Without its snapshot it could not be gone back to: it is made anew. */
  async #isWhole(id: string | null): Promise<boolean> {
    return id === null || (await this.#deps.workshop.snapshots.load(id)) !== undefined;
  }

  #notPending(offer: AgentRemoteConfig): void {
    if (this.#pending === toHex(offer.configHash)) this.#pending = undefined;
  }

  async #readLocalFiles(): Promise<Readonly<Record<string, string>>> {
    const present = await this.#deps.readLocalFiles();
    return withoutBroken(present, this.#accepted.localFiles, this.#deps.workshop.logger);
  }

  async #remoteChange(offer: AgentRemoteConfig): Promise<Change> {
    const entries = Object.keys(configurationEntries(offer.config));
    if (entries.length === 0) {
      const { workshop, newMark } = this.#deps;
      return new StopChange(newMark(), offer, this.#accepted, workshop, (failure) =>
        this.#settled(offer, failure),
      );
    }
    // What it ran with is part of one that is only down at this moment.
    const isCurrent = this.#deps.workshop.book.current?.remoteHash === toHex(offer.configHash);
    const inputs = isCurrent ? this.#accepted : await this.#known();
    return this.#change({ t: "remote", offer, withPackages: false }, { ...inputs, remote: offer });
  }

  #change(
    trigger: Trigger,
    inputs: ConfigurationInputs,
    { staged }: { staged?: { id: string; contentHash: string } } = {},
  ): Change {
    const { workshop, wayBack, newMark } = this.#deps;
    return new ConfigurationChange(staged?.id ?? newMark(), trigger, inputs, {
      workshop,
      wayBack,
      ...(staged && { stagedContentHash: staged.contentHash }),
      settled: (failure) => {
        // Together they are tried again together, by whoever offered the packages.
        if (trigger.t === "remote" && trigger.withPackages) this.#notPending(trigger.offer);
        else if (trigger.t === "remote") this.#settled(trigger.offer, failure);
        else if (trigger.t === "local" && trigger.what === ownTelemetryChange && inputs.ownTelemetry)
          this.#deps.ownTelemetrySettled?.(inputs.ownTelemetry.hash, failure);
        else if (trigger.t === "local") this.#settledLocal(trigger.what, failure);
        if (bringsPackages(trigger)) this.#deps.packagesSettled?.(inputs.packages, failure);
      },
    });
  }
}

function sizeOf(offer: AgentRemoteConfig): number {
  return Object.values(offer.config?.configMap ?? {}).reduce((sum, { body }) => sum + body.length, 0);
}
