import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { Backoff } from "../../foundation/backoff.ts";
import type { Timer } from "../../foundation/clock.ts";
import {
  type AgentRemoteConfig,
  type PackagesAvailable,
  PackagesAvailableSchema,
} from "../../opamp/messages.ts";
import type { Acquired, PackageProgress } from "../packages/acquisition.ts";
import { type PackagesOffer, parsePackagesAvailable } from "../packages/offer.ts";
import type { PackagesView, PackageView } from "../packages/statuses.ts";
import type { HeldPackage } from "../packages/store/held-package.ts";
import type { Failure } from "./change.ts";
import type { ConfigurationIntake } from "./configuration-intake.ts";
import type { PackagesFailure, PackagesRecord } from "./packages-record.ts";
import type { Workshop } from "./workshop.ts";

/** What the server offered last: its packages, and the configuration that came in the same message, if one did. */
export interface PackagesMessage {
  packages: PackagesAvailable;
  remote: AgentRemoteConfig | undefined;
  /** An administrator put it into the drop folder: it may name files of this host. */
  fromThisHost: boolean;
}

/** After so many failures by its own fault an offer is refused without another try. */
const maxTries = 3;
const rememberedTries = 20;

interface PackageIntakeDeps {
  workshop: Workshop;
  configuration: ConfigurationIntake;
  record: PackagesRecord;
  /** Neither may reject. */
  saveRecord(record: PackagesRecord): Promise<unknown>;
  saveMessage(message: PackagesMessage): Promise<unknown>;
  acquire(
    offer: PackagesOffer,
    signal: AbortSignal,
    onProgress: (name: string, progress: PackageProgress) => void,
  ): Promise<Acquired>;
  /** The packages of a set; none when it is damaged. */
  held(set: string | null): Promise<readonly HeldPackage[]>;
  report(view: PackagesView): void;
  random?: () => number;
}

/**
 * Turns the packages that the server offers into a change on the road, once they are on this host: a download may
 * take days, and no other change is to wait for it.
 */
export class PackageIntake {
  readonly #deps: PackageIntakeDeps;
  readonly #retryBackoff: Backoff;
  #record: PackagesRecord;
  #last: LastOffer | undefined;
  /** What an earlier process was at is not wanted any more. */
  #superseded = false;
  #underWay: AbortController | undefined;
  /** The set that the road was given; undefined while there is none. */
  #offered: string | null | undefined;
  #retry: Timer | undefined;
  #held: readonly HeldPackage[] = [];
  readonly #progress = new Map<string, PackageProgress>();

  constructor(deps: PackageIntakeDeps) {
    this.#deps = deps;
    this.#record = deps.record;
    const waits = { initialMs: 30_000, maxMs: 600_000, factor: 2, jitter: 0.3 };
    this.#retryBackoff = new Backoff({ ...waits, ...(deps.random && { random: deps.random }) });
  }

  /** Reports where an earlier process was: before the server is asked, or it would offer the same once more. */
  async restore(last: PackagesMessage | undefined): Promise<void> {
    if (last !== undefined) this.#last = toLast(last);
    await this.#refreshHeld();
  }

  /** Goes on from there. `changeUnderWay`: a change that brings packages was in the journal, and goes on. */
  async resume(changeUnderWay: boolean): Promise<void> {
    const { book } = this.#deps.workshop;
    const { offer, outcome, set, failure } = this.#record;
    // The server may have been quicker.
    if (this.#last === undefined || this.#superseded) return;
    if (changeUnderWay) {
      this.#offered = set;
      return;
    }
    // The offer was written down, and nothing else of it.
    if (offer !== this.#last.key) {
      this.#start();
      return;
    }
    const runs = (book.current?.packages ?? null) === set;
    const isDamaged = set !== null && (await this.#deps.held(set)).length === 0;
    const again = outcome === "under-way" || (outcome === "failed" && failure?.fault === "host");
    if (again || (outcome === "applied" && runs && isDamaged)) this.#start();
    else if (outcome === "applied" && !runs) this.#lost("it was taken back while the supervisor was away");
  }

  async offer(message: PackagesMessage): Promise<void> {
    const last = toLast(message);
    const { logger } = this.#deps.workshop;
    const names = last.offer.packages.map(({ name, version }) => `${name || "(top-level)"} ${version}`);
    logger.info({ event: "packages_received", offer: last.key, packages: names }, "packages are offered");
    const isSame = last.key === this.#last?.key && sameRemote(last.remote, this.#last.remote);
    if (isSame && this.#record.outcome === "under-way") return;
    if (isSame && this.#record.outcome === "applied") return this.#report();
    this.#superseded = true;
    this.#last = last;
    await this.#deps.saveMessage(message);
    if (this.#triesOf(last.key) >= maxTries) {
      this.#abort();
      const known = isSame ? this.#record.failure?.reason : undefined;
      const reason = known ?? `it failed ${maxTries} times before and is not tried again`;
      return this.#fail({ fault: "own", reason }, { counts: false });
    }
    this.#start();
  }

  /** What lies in the drop folder. With `seen`, only if it lay there before: nobody has put it there just now. */
  async offerDropped(packages: PackagesAvailable, { seen }: { seen: boolean }): Promise<void> {
    const message = { packages, remote: undefined, fromThisHost: true };
    const { key } = toLast(message);
    if (seen && key === this.#record.dropped) return;
    this.#record = { ...this.#record, dropped: key };
    await this.#deps.saveRecord(this.#record);
    await this.offer(message);
  }

  /** The set that is about to be put in place; it must not be tidied away. */
  get sets(): readonly string[] {
    return this.#offered == null ? [] : [this.#offered];
  }

  /** The change that brings this set has begun. */
  installing(set: string | null): void {
    if (set !== this.#offered) return;
    for (const name of this.#last?.labels.keys() ?? []) this.#progress.set(name, { t: "installing" });
    this.#report();
  }

  /** A newer configuration has come without packages: the one that waits for its packages is not wanted any more. */
  remoteOffered(): void {
    if (this.#last?.remote === undefined) return;
    const message = { ...this.#last.message, remote: undefined };
    this.#last = { ...this.#last, remote: undefined, message };
    if (this.#record.outcome === "under-way") void this.#deps.saveMessage(message);
  }

  /** How a change that brought packages ended. */
  settled(set: string | null, failure: Failure | undefined): void {
    if (set !== this.#offered) return;
    this.#offered = undefined;
    if (failure === undefined) {
      this.#retryBackoff.reset();
      void this.#applied(set);
    } else this.#fail(failure);
  }

  /** Something else has come to run: packages that were applied may have been taken back. */
  async runningChanged(because: string | undefined): Promise<void> {
    await this.#loadHeld();
    const { outcome, set } = this.#record;
    const runs = (this.#deps.workshop.book.current?.packages ?? null) === set;
    if (outcome === "applied" && !runs) this.#lost(because ?? "another package set runs");
    else this.#report();
  }

  /** An operator allows what failed to be tried again. */
  async forgive(): Promise<void> {
    this.#record = { ...this.#record, tries: [] };
    await this.#deps.saveRecord(this.#record);
    if (this.#record.outcome === "failed" && this.#last !== undefined) this.#start();
  }

  stop(): void {
    this.#abort();
  }

  #abort(): void {
    this.#underWay?.abort(new Error("not wanted any more"));
    this.#underWay = undefined;
    this.#offered = undefined;
    this.#retry?.cancel();
  }

  #start(): void {
    this.#abort();
    const last = this.#last;
    if (last === undefined) return;
    const underWay = new AbortController();
    this.#underWay = underWay;
    this.#progress.clear();
    const { set, tries } = this.#record;
    this.#note({ ...this.#id(last), outcome: "under-way", set, tries });
    const onProgress = (name: string, progress: PackageProgress) => {
      if (this.#underWay !== underWay) return;
      this.#progress.set(name, progress);
      this.#report();
    };
    void this.#deps.acquire(last.offer, underWay.signal, onProgress).then((acquired) => {
      if (this.#underWay !== underWay) return;
      this.#underWay = undefined;
      this.#acquired(acquired);
    });
  }

  #acquired(acquired: Acquired): void {
    switch (acquired.t) {
      case "aborted":
        return;
      case "failed": {
        const { fault, name, reason } = acquired;
        this.#fail({ fault, name, reason });
        return;
      }
      case "ready": {
        const set = acquired.set?.id ?? null;
        this.#note({ ...this.#record, outcome: "under-way", set });
        const { configuration, workshop } = this.#deps;
        const remote = this.#last?.remote;
        if ((workshop.book.current?.packages ?? null) !== set) {
          this.#offered = set;
          configuration.offerPackages(set, remote);
          return;
        }
        // It is what runs already.
        void this.#applied(set);
        if (remote !== undefined) void configuration.offerRemote(remote);
      }
    }
  }

  async #applied(set: string | null): Promise<void> {
    const tries = this.#record.tries.filter(({ offer }) => offer !== this.#last?.key);
    this.#note({ ...this.#id(), outcome: "applied", set, tries });
    const { logger } = this.#deps.workshop;
    logger.info({ event: "packages_installed", offer: this.#last?.key }, "the packages of the server run");
    await this.#refreshHeld();
    // What this host could not do for want of a program it may be able to do now.
    this.#deps.configuration.retryNow();
  }

  #lost(because: string): void {
    this.#fail({ fault: "own", reason: `taken back: ${because}` });
  }

  #fail(failure: PackagesFailure, { counts = true } = {}): void {
    const { workshop } = this.#deps;
    const { fault, name } = failure;
    const key = this.#last?.key ?? "";
    const count = this.#triesOf(key) + (fault === "own" && counts ? 1 : 0);
    const others = this.#record.tries.filter(({ offer }) => offer !== key);
    const tries = count === 0 ? others : [...others, { offer: key, count }].slice(-rememberedTries);
    const reason = workshop.mask(failure.reason);
    this.#progress.clear();
    const named = { fault, reason, ...(name !== undefined && { name }) };
    this.#note({ ...this.#id(), outcome: "failed", set: this.#record.set, failure: named, tries });
    const fields = {
      event: "packages_failed",
      offer: key,
      package: name,
      fault,
      error: reason,
      tries: count,
    };
    workshop.logger.error(fields, "the packages of the server were not installed");
    this.#refuseConfiguration(reason);
    if (fault === "host")
      this.#retry = workshop.clock.setTimer(this.#retryBackoff.next(), () => this.#start());
  }

  /** Both or neither: the configuration that came with them has no packages to run with. */
  #refuseConfiguration(reason: string): void {
    const { remote } = this.#last ?? {};
    if (remote === undefined || this.#deps.configuration.runs(remote)) return;
    const because = `it came with packages that were not installed: ${reason}`;
    void this.#deps.workshop.reportRemote(remote, { t: "failed", reason: because });
  }

  #id(last = this.#last): Pick<PackagesRecord, "offer" | "from_this_host" | "dropped"> {
    const { dropped } = this.#record;
    return { offer: last?.key ?? "", from_this_host: last?.message.fromThisHost ?? false, dropped };
  }

  #triesOf(key: string): number {
    return this.#record.tries.find(({ offer }) => offer === key)?.count ?? 0;
  }

  #note(record: PackagesRecord): void {
    this.#record = record;
    void this.#deps.saveRecord(record);
    this.#report();
  }

  async #refreshHeld(): Promise<void> {
    await this.#loadHeld();
    this.#report();
  }

  async #loadHeld(): Promise<void> {
    this.#held = await this.#deps.held(this.#deps.workshop.book.current?.packages ?? null);
  }

  #report(): void {
    this.#deps.report(this.#view());
  }

  #view(): PackagesView {
    const offered = this.#last?.labels ?? new Map<string, Label>();
    const names = new Set([...this.#held.map(({ name }) => name), ...offered.keys()]);
    const packages = [...names].flatMap((name) => this.#viewOf(name, offered.get(name)) ?? []);
    const allHash = this.#last?.offer.allHash;
    const { outcome, failure } = this.#record;
    // An offer of nothing can fail too: what is in use may be needed.
    const problem = packages.some(({ state }) => state.t === "failed") ? undefined : failure?.reason;
    return {
      ...(allHash !== undefined && { allHash }),
      packages,
      ...(outcome === "failed" && problem !== undefined && { problem }),
    };
  }

  #viewOf(name: string, offered: Label | undefined): PackageView | undefined {
    const known = this.#held.find((each) => each.name === name);
    const held = known && { version: known.version, hash: known.hash };
    const common = { name, ...(held && { held }), ...(offered && { offered }) };
    if (held !== undefined && (offered === undefined || offered.hash === held.hash))
      return { ...common, held, state: { t: "installed" } };
    return offered && { ...common, offered, state: this.#stateOf(name) };
  }

  #stateOf(name: string): Exclude<PackageView["state"], { t: "installed" }> {
    const { outcome, failure } = this.#record;
    if (outcome === "failed" && failure !== undefined) {
      const isOther = failure.name !== undefined && failure.name !== name;
      const reason = isOther ? `refused together with ${failure.name}: ${failure.reason}` : failure.reason;
      return { t: "failed", reason };
    }
    const progress = this.#progress.get(name);
    if (progress?.t === "downloading") {
      const { percent, bytesPerSecond } = progress;
      return { t: "downloading", percent, bytesPerSecond };
    }
    return progress ?? { t: "pending" };
  }
}

interface Label {
  version: string;
  hash: string;
}

interface LastOffer {
  /** Tells one offer from another. */
  key: string;
  offer: PackagesOffer;
  /** Of every package in it, also of those that cannot be used. */
  labels: ReadonlyMap<string, Label>;
  remote: AgentRemoteConfig | undefined;
  message: PackagesMessage;
}

function toLast(message: PackagesMessage): LastOffer {
  const { packages, remote } = message;
  const offer = parsePackagesAvailable(packages, message);
  const bytes = toBinary(PackagesAvailableSchema, packages);
  // A server that gives no aggregate hash is told apart by what it offers.
  const key = offer.allHash || createHash("sha256").update(bytes).digest("hex");
  const labels = Object.entries(packages.packages).map(
    ([name, { version, hash }]) => [name, { version, hash: Buffer.from(hash).toString("hex") }] as const,
  );
  return { key, offer, labels: new Map(labels), remote, message };
}

function sameRemote(a: AgentRemoteConfig | undefined, b: AgentRemoteConfig | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a.configHash, b.configHash) === 0;
}
