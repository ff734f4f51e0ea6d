import type { AgentRemoteConfig, PackagesAvailable } from "../../opamp/messages.ts";
import type { Acquired, PackageProgress } from "../packages/acquisition.ts";
import type { PackagesOffer } from "../packages/offer.ts";
import type { PackagesView } from "../packages/statuses.ts";
import type { HeldPackage } from "../packages/store/held-package.ts";
import type { ChangeRecord, Failure } from "./change.ts";
import type { ConfigurationIntake } from "./configuration-intake.ts";
import { HostRetry } from "./host-retry.ts";
import { type LastOffer, type PackagesMessage, readAfter, sameRemote, toLast } from "./packages-message.ts";
import {
  maxTries,
  type PackagesFailure,
  type PackagesRecord,
  triesOf,
  withTries,
} from "./packages-record.ts";
import { isInUse, viewOf } from "./packages-view.ts";
import type { Workshop } from "./workshop.ts";

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
  readonly #retry: HostRetry;
  #record: PackagesRecord;
  #last: LastOffer | undefined;
  /** A configuration whose packages were replaced by newer ones: it is tried after those. */
  #next: AgentRemoteConfig | undefined;
  /** What an earlier process was at is not wanted any more. */
  #superseded = false;
  #underWay: AbortController | undefined;
  /** The set that the road was given; undefined while there is none. */
  #offered: string | null | undefined;
  #held: readonly HeldPackage[] = [];
  readonly #progress = new Map<string, PackageProgress>();

  constructor(deps: PackageIntakeDeps) {
    this.#deps = deps;
    this.#record = deps.record;
    this.#retry = new HostRetry({ clock: deps.workshop.clock, ...(deps.random && { random: deps.random }) });
  }

  /** Reports where an earlier process was: before the server is asked, or it would offer the same once more. */
  async restore(last: PackagesMessage | undefined): Promise<void> {
    if (last !== undefined) this.#last = toLast(last);
    // The offer was written down, and nothing else of it.
    if (this.#last !== undefined && this.#record.offer !== this.#last.key)
      this.#record = { ...this.#record, ...this.#id(), outcome: "under-way" };
    await this.#refreshHeld();
  }

  /** Goes on from there. `underWay` was in the journal, and goes on. */
  async resume(underWay: ChangeRecord | undefined): Promise<void> {
    const { book } = this.#deps.workshop;
    const { outcome, set, failure } = this.#record;
    // The server may have been quicker.
    if (this.#last === undefined || this.#superseded) return;
    // It may be of an offer before the last one.
    const isOfLast = underWay?.kind === "packages" && underWay.detail.packages === set;
    if (isOfLast && (set !== null || this.#last.labels.size === 0)) {
      this.#offered = set;
      return;
    }
    const runs = (book.current?.packages ?? null) === set;
    const isDamaged = set !== null && (await this.#deps.held(set)).length === 0;
    const again = outcome === "under-way" || (outcome === "failed" && failure?.fault === "host");
    if (again || (outcome === "applied" && runs && isDamaged)) this.#start();
    else if (outcome === "applied" && !runs) this.#lost("it was taken back while the supervisor was away");
    else if (outcome === "failed" && this.#isInUse) this.#provenAfterAll();
  }

  async offer(received: PackagesMessage): Promise<void> {
    const { message, stop, next } = readAfter(received, this.#last, this.#waiting());
    // It waits for no packages.
    if (stop !== undefined && !this.remoteOffered(stop)) void this.#deps.configuration.offerRemote(stop);
    this.#next = received.remote === undefined ? (next ?? this.#next) : undefined;
    const last = toLast(message);
    const { logger } = this.#deps.workshop;
    const names = last.offer.packages.map(({ name, version }) => `${name || "(top-level)"} ${version}`);
    logger.info({ event: "packages_received", offer: last.key, packages: names }, "packages are offered");
    const isSame = last.key === this.#last?.key && sameRemote(last.remote, this.#last.remote);
    if (isSame && this.#record.outcome === "under-way") return;
    if (isSame && this.#record.outcome === "applied") return this.#report();
    this.#superseded = true;
    this.#last = last;
    // From this moment on: another one may come while it is being written down.
    this.#record = { ...this.#record, ...this.#id(last), outcome: "under-way" };
    await this.#deps.saveMessage(message);
    if (triesOf(this.#record, last.key) >= maxTries) {
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

  /**
   * A configuration has come without packages. True: it is the one that came with them, which waits for them still, or
   * was refused with them, and is not to be tried alone. A newer one takes the place of one that waits.
   */
  remoteOffered(offer: AgentRemoteConfig): boolean {
    const last = this.#last;
    if (this.#next !== undefined && sameRemote(offer, this.#next)) return true;
    this.#next = undefined;
    if (last?.remote === undefined) return false;
    const { outcome, failure } = this.#record;
    if (sameRemote(offer, last.remote) && !this.#deps.configuration.runs(offer)) {
      if (outcome === "under-way") return true;
      if (outcome === "failed" && failure !== undefined) {
        this.#refuseConfiguration(failure.reason);
        return true;
      }
    }
    const message = { ...last.message, remote: undefined };
    this.#last = { ...last, remote: undefined, message };
    if (outcome === "under-way") void this.#deps.saveMessage(message);
    return false;
  }

  /** How a change that brought packages ended. */
  settled(set: string | null, failure: Failure | undefined): void {
    if (set !== this.#offered) return;
    this.#offered = undefined;
    if (failure === undefined) {
      this.#retry.worked();
      void this.#applied(set);
    } else this.#fail(failure);
  }

  /** Something else has come to run: packages that were applied may have been taken back. */
  async runningChanged(because: string | undefined, { forGood = false } = {}): Promise<void> {
    await this.#loadHeld();
    const { outcome, set, failure } = this.#record;
    const runs = (this.#deps.workshop.book.current?.packages ?? null) === set;
    if (outcome === "applied" && !runs) this.#lost(because ?? "another package set runs", forGood);
    else if (outcome === "failed" && this.#isInUse) this.#provenAfterAll();
    // What kept it from being installed may be over, above all the order to run no Collector.
    else if (outcome === "failed" && failure?.fault === "host" && because === undefined) this.#start();
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

  /** The configuration that waits for its packages. */
  #waiting(): AgentRemoteConfig | undefined {
    const { outcome, failure } = this.#record;
    const isOver = outcome !== "under-way" && !(outcome === "failed" && failure?.fault === "host");
    return isOver ? undefined : this.#last?.remote;
  }

  #offerNext(): void {
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) void this.#deps.configuration.offerRemote(next);
  }

  #abort(): void {
    this.#underWay?.abort(new Error("not wanted any more"));
    this.#underWay = undefined;
    this.#offered = undefined;
    this.#retry.cancel();
  }

  #start(): void {
    this.#abort();
    const last = this.#last;
    if (last === undefined) return;
    this.#deps.configuration.withdrawPackages();
    const underWay = new AbortController();
    this.#underWay = underWay;
    this.#progress.clear();
    this.#note({ ...this.#id(last), outcome: "under-way", set: null, tries: this.#record.tries });
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
    const tries = withTries(this.#record, this.#last?.key ?? "", 0);
    this.#note({ ...this.#id(), outcome: "applied", set, tries });
    const { logger } = this.#deps.workshop;
    logger.info({ event: "packages_installed", offer: this.#last?.key }, "the packages of the server run");
    await this.#refreshHeld();
    // What this host could not do for want of a program it may be able to do now.
    this.#deps.configuration.retryNow();
    this.#offerNext();
  }

  get #isInUse(): boolean {
    const packages = this.#deps.workshop.book.current?.packages ?? null;
    return this.#last !== undefined && isInUse(this.#last, { packages, held: this.#held });
  }

  /** A verdict can be corrected: what was given up was only slow, or it was gone back to. Its failures still count. */
  #provenAfterAll(): void {
    this.#retry.cancel();
    const set = this.#deps.workshop.book.current?.packages ?? null;
    this.#note({ ...this.#id(), outcome: "applied", set, tries: this.#record.tries });
  }

  #lost(because: string, forGood = false): void {
    if (forGood)
      this.#record = { ...this.#record, tries: withTries(this.#record, this.#record.offer, maxTries) };
    this.#fail({ fault: "own", reason: `taken back: ${because}` });
  }

  #fail(failure: PackagesFailure, { counts = true } = {}): void {
    const { workshop } = this.#deps;
    const { fault, name } = failure;
    const key = this.#last?.key ?? "";
    const count = triesOf(this.#record, key) + (fault === "own" && counts ? 1 : 0);
    const tries = withTries(this.#record, key, count);
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
    this.#offerNext();
    if (fault === "host") this.#retry.later(() => this.#start());
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
    const state = { held: this.#held, last: this.#last, record: this.#record, progress: this.#progress };
    this.#deps.report(viewOf(state));
  }
}
