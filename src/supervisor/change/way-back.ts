import { create } from "@bufbuild/protobuf";
import { describeError } from "../../foundation/errors.ts";
import { firstLine } from "../../foundation/first-line.ts";
import { AgentRemoteConfigSchema } from "../../opamp/messages.ts";
import { faultHash, hasWorked, type Reference } from "./configuration-book.ts";
import { type Proof, watchForProof } from "./proof.ts";
import type { ConfigurationInputs } from "./snapshots.ts";
import { stateSaved } from "./state-saved.ts";
import type { NewMark, Runnable, Workshop } from "./workshop.ts";

/** Longest wait for a configuration that is known to work, at least: a loaded host may start slowly. */
const leastTimeoutMs = 30_000;

/** Time between tries of the way back while nothing on it runs. */
const holdMs = 5 * 60_000;

/**
 * Brings back something that runs: the nearest proven configuration, then the older one, then the program that
 * ran before, then `startup_fallback_configs`, then the empty bootstrap configuration, and at last waits.
 */
export class WayBack {
  readonly #workshop: Workshop;
  readonly #newMark: NewMark;

  constructor(workshop: Workshop, newMark: NewMark) {
    this.#workshop = workshop;
    this.#newMark = newMark;
  }

  /**
   * What runs now failed for `reason`. A failed change goes back to the current configuration, which it never
   * replaced; with `skipCurrent` that one is at fault itself and the one before it is next. `crashed`: what runs ended
   * too often, or on probation. `orElse` is what is done when
   * nothing on the way back runs, after the fallback configurations: an empty Collector is better than
   * none for a host that never had a configuration, but no substitute for one that did.
   */
  async go(
    reason: string,
    {
      orElse,
      skipCurrent = false,
      crashed = false,
    }: { orElse: "bootstrap" | "hold"; skipCurrent?: boolean; crashed?: boolean },
  ): Promise<"reverted" | "made-do" | "held"> {
    const { book, collector, logger } = this.#workshop;
    // The journal, or the quarantine, tells the next supervisor to take it.
    if (collector.closed) throw new Error("the supervisor is stopping");
    const release = collector.claim();
    try {
      const skips = skipCurrent || book.current === null || book.currentIsQuarantined;
      const known = [...(skips || book.current === null ? [] : [book.current]), ...book.wayBack];
      const trusted = await this.#trustedPackages(crashed);
      const candidates = known.filter((reference) => !this.#endsWithIts(reference, trusted, crashed));
      if (skipCurrent && (await this.#undoPackages(reason))) return "reverted";
      for (const reference of candidates) {
        if (!(await this.#returnTo(reference))) continue;
        if (reference === book.current) await this.#saved(() => book.release(reference));
        else {
          const replaced = book.current;
          await this.#saved(() => book.goneBackTo(reference));
          await this.#restoreKeptFiles(reference, replaced);
        }
        const config_hash = reference.remoteHash ?? reference.contentHash;
        const why = firstLine(this.#workshop.mask(reason));
        logger.warn(
          { event: "reverted", config_hash, reason: why },
          "went back to a configuration that works",
        );
        return "reverted";
      }
      if (await this.#goBackToOlderPackages(reason, candidates)) return "reverted";
      return await this.#makeDo(reason, { orElse, packages: trusted });
    } finally {
      release();
      this.#workshop.runningChanged(firstLine(this.#workshop.mask(reason)));
    }
  }

  /** Runs a configuration that was proven before, and waits until it is proven again. */
  async #returnTo(reference: Reference): Promise<boolean> {
    const { collector } = this.#workshop;
    if (reference.id === null) {
      await collector.stop();
      return true;
    }
    const { state } = collector;
    const isThere = collector.link?.mark === reference.id;
    if (isThere && state.t === "running" && state.launch.mark === reference.id) {
      // The switch failed before it touched the process, but perhaps not before it touched the file.
      await this.#saved(() => this.#workshop.install({ ...reference, id: state.launch.mark }));
      return true;
    }
    if ((await this.#workshop.snapshots.load(reference.id)) === undefined) return false;
    const role = reference === this.#workshop.book.current ? reference.role : "last-known-good";
    const proof = await this.#run({ ...reference, id: reference.id, role });
    if (proof.t === "proven") return true;
    this.#workshop.logger.error(
      {
        event: "revert_failed",
        config_hash: reference.remoteHash ?? reference.contentHash,
        outcome: proof.t,
      },
      "a configuration that worked before does not start",
    );
    return false;
  }

  /** Where packages alone were changed last, what they ran with is innocent: it may not be on the way back by itself. */
  async #undoPackages(reason: string): Promise<boolean> {
    const { current, wayBack } = this.#workshop.book;
    if (!this.#ranWithOthers || current === null || wayBack[0]?.contentHash === current.contentHash)
      return false;
    return this.#goBackToOlderPackages(reason, [current]);
  }

  /** Whether what runs now ran before, with the packages before these. */
  get #ranWithOthers(): boolean {
    const { current, olderPackages } = this.#workshop.book;
    return current?.cause === "packages" && olderPackages.length > 0;
  }

  /** The program itself may be at fault: the best configuration that is known, with one that ran before it. */
  async #goBackToOlderPackages(reason: string, tried: readonly Reference[]): Promise<boolean> {
    const { book, logger } = this.#workshop;
    // If it is the program, what runs now is innocent, and the nearest to what is wanted; not if it failed itself.
    const isAtFault = book.currentIsQuarantined && !this.#ranWithOthers;
    const references = new Set([...(book.current === null || isAtFault ? [] : [book.current]), ...tried]);
    // An empty Collector is what a host had that never was given a configuration.
    const known = [...references].filter(hasWorked).concat([...references].filter(isEmpty));
    // What an administrator installed is there whatever was kept of packages.
    for (const packages of new Set([...book.olderPackages, null])) {
      if (tried.some((reference) => reference.packages === packages)) continue;
      for (const reference of known) {
        // One that is passed over is not to come back as something else.
        if (reference.packages === packages) continue;
        if (!(await this.#returnToWith(reference, packages, tried))) continue;
        const fields = { event: "reverted", packages, reason: firstLine(this.#workshop.mask(reason)) };
        logger.warn(fields, "went back to the program that ran before");
        return true;
      }
    }
    return false;
  }

  async #returnToWith(
    known: Reference,
    packages: string | null,
    tried: readonly Reference[],
  ): Promise<boolean> {
    const { book, snapshots } = this.#workshop;
    const inputs = await this.#inputsOf(known);
    if (inputs === undefined) return false;
    const id = this.#newMark();
    const older = { ...inputs, packages };
    const merged = await this.#workshop.merge(older, id).catch(() => undefined);
    if (merged === undefined) return false;
    await this.#saved(() => snapshots.save({ id, text: merged.text, inputs: older }));
    if ((await this.#run({ id, packages, role: "last-known-good" })).t !== "proven") return false;
    const { contentHash } = merged;
    const reference: Reference = { ...known, id, contentHash, packages, cause: "packages" };
    await this.#saved(() => book.goneBackToPackages(reference, tried));
    await this.#restoreKeptFiles(reference, null);
    return true;
  }

  async #makeDo(
    reason: string,
    { orElse, packages }: { orElse: "bootstrap" | "hold"; packages: string | null },
  ): Promise<"made-do" | "held"> {
    const { book, collector, snapshots, logger } = this.#workshop;
    const why = firstLine(this.#workshop.mask(reason));
    const mark = this.#newMark();
    for (const { role, name, merged } of await this.#workshop.lastResorts(mark, packages)) {
      if (role === "bootstrap" && orElse === "hold") continue;
      const inputs = { ...nothing, packages };
      await this.#saved(() => snapshots.save({ id: mark, text: merged.text, inputs }));
      const proof = await this.#run({ id: mark, packages, role });
      if (proof.t !== "proven") continue;
      const reference = {
        id: mark,
        contentHash: merged.contentHash,
        remoteHash: null,
        role,
        cause: "local" as const,
        packages,
      };
      await this.#saved(() => book.makeDoWith(reference));
      await this.#acceptWhatWorked();
      logger.error(
        { event: "fallback", role, name, reason: why },
        `running the ${role} configuration ${name}`,
      );
      return "made-do";
    }
    const { current } = book;
    const last: Runnable =
      current?.id == null ? { id: mark, packages, role: "bootstrap" } : { ...current, id: current.id };
    await collector.stop();
    if (book.currentIsQuarantined) await this.#acceptWhatWorked();
    // Goes on counting here; the reference is not to find one that failed.
    else if (current !== null) await this.#restoreKeptFiles(current, null);
    if (current?.id != null) await this.#saved(() => this.#workshop.install(last));
    logger.error({ event: "held", reason: why, retry_in_ms: holdMs }, "nothing starts; trying again later");
    // The guard tries the whole way again before; this is only in case that it cannot.
    const launch = await this.#workshop.launch(last).catch(() => undefined);
    if (launch !== undefined) collector.hold(launch, 2 * holdMs, why);
    return "held";
  }

  /** A fallback that ended with its program says that others end with it, too, if there is another program. */
  #endsWithIts({ packages }: Reference, trusted: string | null, crashed: boolean): boolean {
    const { current } = this.#workshop.book;
    const isSuspect = crashed && current !== null && !hasWorked(current);
    return isSuspect && packages === current.packages && packages !== trusted;
  }

  /** Those that are least likely to be why nothing starts. */
  async #trustedPackages(crashed: boolean): Promise<string | null> {
    const { book } = this.#workshop;
    const { current, wayBack, olderPackages } = book;
    // What ended as a fallback ends with any configuration; one that brought packages may have ended for those.
    const isSuspect = current !== null && (!hasWorked(current) || /packages/.test(current.cause));
    const ended = crashed || (book.currentIsQuarantined && current?.role === "desired");
    if (current !== null && !(isSuspect && ended)) return current.packages;
    for (const packages of [...wayBack.map((each) => each.packages), ...olderPackages, null]) {
      const isOther = current === null || packages !== current.packages;
      if (isOther && (await this.#workshop.missingProgram(packages)) === undefined) return packages;
    }
    return current?.packages ?? null;
  }

  /** The next change starts from what once worked, and never from what failed. */
  async #acceptWhatWorked(): Promise<void> {
    const { book } = this.#workshop;
    const [nearest] = book.wayBack;
    const inputs = await this.#inputsOf(nearest ?? null);
    const hasFailed = nearest !== undefined && book.quarantineOf(faultHash(nearest)) !== undefined;
    const packages = await this.#trustedPackages(false);
    const accepted = inputs ?? { ...nothing, packages };
    await this.#saved(() =>
      this.#workshop.saveKept(hasFailed ? { ...accepted, remote: undefined } : accepted),
    );
  }

  async #run(what: Runnable): Promise<Proof> {
    const { collector, clock, mayReload, snapshots } = this.#workshop;
    const { id: mark } = what;
    // A full disk must not keep the Collector from what lies there already.
    const installed = await this.#saved(() => this.#workshop.install(what));
    const launch = await this.#workshop
      .launch(what, installed ? undefined : snapshots.path(mark))
      .catch((error: unknown) => describeError(error));
    if (typeof launch === "string") return { t: "broken", reason: launch };
    const watch = watchForProof(collector, {
      mark,
      clock,
      onKilled: () => collector.relaunchAfter(launch, 0, "killed from outside"),
    });
    try {
      await collector.run(launch, mayReload);
      return await watch.within(Math.max(leastTimeoutMs, this.#workshop.applyTimeoutMs));
    } catch (error) {
      return { t: "broken", reason: describeError(error) };
    } finally {
      watch.cancel();
    }
  }

  async #restoreKeptFiles(reference: Reference, replaced: Reference | null): Promise<void> {
    const inputs =
      reference.id === null ? await this.#stopped(reference, replaced) : await this.#inputsOf(reference);
    if (inputs !== undefined) await this.#saved(() => this.#workshop.saveKept(inputs));
  }

  async #inputsOf(reference: Reference | null): Promise<ConfigurationInputs | undefined> {
    const snapshot = reference?.id == null ? undefined : await this.#workshop.snapshots.load(reference.id);
    return snapshot?.inputs;
  }

  /** The order to stop has no snapshot; its hash is all that there is to it. */
  async #stopped(
    { remoteHash, packages }: Reference,
    replaced: Reference | null,
  ): Promise<ConfigurationInputs> {
    const { ownTelemetry, localFiles = {} } = (await this.#inputsOf(replaced)) ?? {};
    const configHash = new Uint8Array(Buffer.from(remoteHash ?? "", "hex"));
    const remote = create(AgentRemoteConfigSchema, { configHash, config: {} });
    return { ownTelemetry, localFiles, remote, packages };
  }

  #saved(write: () => Promise<void>): Promise<boolean> {
    return stateSaved(this.#workshop.logger, write);
  }
}

const isEmpty = ({ role }: Reference) => role === "bootstrap";

const nothing = { remote: undefined, ownTelemetry: undefined, localFiles: {} };
