import { create } from "@bufbuild/protobuf";
import { describeError } from "../../foundation/errors.ts";
import { AgentRemoteConfigSchema } from "../../opamp/messages.ts";
import type { Reference } from "./configuration-book.ts";
import { type Proof, watchForProof } from "./proof.ts";
import type { ConfigurationInputs } from "./snapshots.ts";
import type { NewMark, Workshop } from "./workshop.ts";

/** Longest wait for a configuration that is known to work, at least: a loaded host may start slowly. */
const leastTimeoutMs = 30_000;

/** Time between tries of the way back while nothing on it runs. */
const holdMs = 5 * 60_000;

/**
 * Brings back something that runs: the nearest proven configuration, then the older one, then
 * `startup_fallback_configs`, then the empty bootstrap configuration, and at last waits.
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
   * replaced; with `skipCurrent` that one is at fault itself and the one before it is next. `orElse` is what is done when
   * nothing on the way back runs, after the fallback configurations: an empty Collector is better than
   * none for a host that never had a configuration, but no substitute for one that did.
   */
  async go(
    reason: string,
    { orElse, skipCurrent = false }: { orElse: "bootstrap" | "hold"; skipCurrent?: boolean },
  ): Promise<"reverted" | "made-do" | "held"> {
    const { book, collector, logger } = this.#workshop;
    // The journal, or the quarantine, tells the next supervisor to take it.
    if (collector.closed) throw new Error("the supervisor is stopping");
    const release = collector.claim();
    try {
      const skips = skipCurrent || book.current === null || book.currentIsQuarantined;
      const candidates = [...(skips || book.current === null ? [] : [book.current]), ...book.wayBack];
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
      return await this.#makeDo(reason, orElse);
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
      await this.#saved(() => this.#workshop.install(state.launch.mark));
      return true;
    }
    if ((await this.#workshop.snapshots.load(reference.id)) === undefined) return false;
    const proof = await this.#run(reference.id);
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

  async #makeDo(reason: string, orElse: "bootstrap" | "hold"): Promise<"made-do" | "held"> {
    const { book, collector, snapshots, logger } = this.#workshop;
    const why = firstLine(this.#workshop.mask(reason));
    const mark = this.#newMark();
    for (const { role, name, merged } of await this.#workshop.lastResorts(mark)) {
      if (role === "bootstrap" && orElse === "hold") continue;
      const inputs = { remote: undefined, ownTelemetry: undefined, localFiles: {} };
      await this.#saved(() => snapshots.save({ id: mark, text: merged.text, inputs }));
      const proof = await this.#run(mark);
      if (proof.t !== "proven") continue;
      const reference = {
        id: mark,
        contentHash: merged.contentHash,
        remoteHash: null,
        role,
        cause: "local" as const,
      };
      await this.#saved(() => book.makeDoWith(reference));
      await this.#acceptWhatWorked();
      logger.error(
        { event: "fallback", role, name, reason: why },
        `running the ${role} configuration ${name}`,
      );
      return "made-do";
    }
    const last = book.current?.id ?? mark;
    await collector.stop();
    if (book.currentIsQuarantined) await this.#acceptWhatWorked();
    if (book.current?.id != null) await this.#saved(() => this.#workshop.install(last));
    logger.error({ event: "held", reason: why, retry_in_ms: holdMs }, "nothing starts; trying again later");
    // The guard tries the whole way again before; this is only in case that it cannot.
    collector.hold(this.#workshop.launch(last), 2 * holdMs, why);
    return "held";
  }

  /** The next change starts from what once worked, and never from what failed. */
  async #acceptWhatWorked(): Promise<void> {
    const { book } = this.#workshop;
    const [nearest] = book.wayBack;
    const inputs = await this.#inputsOf(nearest ?? null);
    const nothing = { remote: undefined, ownTelemetry: undefined, localFiles: {} };
    await this.#saved(() => this.#workshop.saveKept(inputs ?? nothing));
  }

  async #run(mark: string): Promise<Proof> {
    const { collector, clock, mayReload } = this.#workshop;
    // A full disk must not keep the Collector from what lies there already.
    const installed = await this.#saved(() => this.#workshop.install(mark));
    const launch = this.#workshop.launch(mark, installed ? undefined : this.#workshop.snapshots.path(mark));
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
  async #stopped({ remoteHash }: Reference, replaced: Reference | null): Promise<ConfigurationInputs> {
    const { ownTelemetry, localFiles = {} } = (await this.#inputsOf(replaced)) ?? {};
    const configHash = new Uint8Array(Buffer.from(remoteHash ?? "", "hex"));
    return { ownTelemetry, localFiles, remote: create(AgentRemoteConfigSchema, { configHash, config: {} }) };
  }

  async #saved(write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      const fields = { event: "state_not_saved", error: describeError(error) };
      this.#workshop.logger.error(fields, "the state directory cannot be written");
      return false;
    }
  }
}

const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";
