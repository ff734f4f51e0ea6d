import { create } from "@bufbuild/protobuf";
import { toHex } from "../../foundation/hex.ts";
import type { ReportedState } from "../../opamp/agent/reported-state.ts";
import {
  type AgentRemoteConfig,
  type RemoteConfigStatus,
  RemoteConfigStatuses,
  RemoteConfigStatusSchema,
} from "../../opamp/messages.ts";
import type { ConfigurationBook } from "../change/configuration-book.ts";
import type { Verdict } from "../change/workshop.ts";
import { toRemoteConfigStatus } from "./remote-config-status.ts";

interface VerdictsDeps {
  state: ReportedState;
  book: ConfigurationBook;
  /** Writes the status down; must not reject. */
  save(status: RemoteConfigStatus): Promise<unknown>;
  /** Told of every verdict. */
  changed(): void;
}

const {
  RemoteConfigStatuses_APPLIED: applied,
  RemoteConfigStatuses_APPLYING: applying,
  RemoteConfigStatuses_FAILED: failed,
} = RemoteConfigStatuses;

/** The status of the remote configuration: what the server is told, and what outlives this process. */
export class Verdicts {
  readonly #deps: VerdictsDeps;

  constructor(deps: VerdictsDeps) {
    this.#deps = deps;
  }

  /**
   * Goes on from what an earlier process told last. One that it did not live to tell is told now. `waiting` is the
   * offer that this host tries again by itself.
   */
  async resume(last: RemoteConfigStatus, waiting: AgentRemoteConfig | undefined): Promise<void> {
    const { state, book } = this.#deps;
    const { status, lastRemoteConfigHash } = last;
    const hash = toHex(lastRemoteConfigHash);
    const refused = book.quarantineOf(hash);
    const { current } = book;
    state.set("remoteConfigStatus", last);
    if (refused !== undefined && status !== failed) {
      await this.report(lastRemoteConfigHash, { t: "failed", reason: refused.reason });
    } else if (status === applying && current?.remoteHash === hash && current.role === "desired") {
      await this.report(lastRemoteConfigHash, { t: "applied" });
    } else if (status === applying) {
      const reason = "the supervisor ended while this configuration was being applied";
      await this.report(lastRemoteConfigHash, { t: "failed", reason });
    } else if (status === failed && refused === undefined && current?.remoteHash !== hash) {
      // Nothing here tries it again; a server that sees no verdict on it offers it again.
      if (hash !== toHex(waiting?.configHash ?? noHash)) await this.forget(hash);
    }
  }

  async report(configHash: Uint8Array, verdict: Verdict): Promise<void> {
    const status = toRemoteConfigStatus({ configHash }, verdict);
    // While it is under way the journal knows; a verdict is on disk before it is told.
    if (verdict.t !== "applying") await this.#deps.save(status);
    this.#deps.state.set("remoteConfigStatus", status);
    if (verdict.t !== "applying") this.#deps.changed();
  }

  /** Corrects the verdict on a hash, unless the status is of a newer one. */
  async correct(hash: string, verdict: Verdict): Promise<void> {
    if (this.#isReported(hash)) await this.report(new Uint8Array(Buffer.from(hash, "hex")), verdict);
  }

  /** Takes back that `hash` failed: a server that sees no verdict on a configuration offers it again. */
  async forget(hash: string): Promise<boolean> {
    return this.isReportedFailed(hash) && this.#takeBack();
  }

  /** Takes back whatever was said of `hash`: this host has lost its part of it and needs it again. */
  async lose(hash: string): Promise<boolean> {
    return this.#isReported(hash) && this.#takeBack();
  }

  async #takeBack(): Promise<true> {
    const status = create(RemoteConfigStatusSchema);
    this.#deps.state.set("remoteConfigStatus", status);
    await this.#deps.save(status);
    this.#deps.changed();
    return true;
  }

  /** The hash that the server sees as applied, if the last verdict says so. */
  reportedApplied(): string | undefined {
    const { status, lastRemoteConfigHash } = this.#deps.state.get("remoteConfigStatus") ?? {};
    return status === applied && lastRemoteConfigHash !== undefined ? toHex(lastRemoteConfigHash) : undefined;
  }

  /** Whether the server sees that this hash failed. */
  isReportedFailed(hash: string): boolean {
    return this.#isReported(hash) && this.#deps.state.get("remoteConfigStatus")?.status === failed;
  }

  #isReported(hash: string): boolean {
    const { lastRemoteConfigHash } = this.#deps.state.get("remoteConfigStatus") ?? {};
    return lastRemoteConfigHash !== undefined && toHex(lastRemoteConfigHash) === hash;
  }
}

const noHash = new Uint8Array();
