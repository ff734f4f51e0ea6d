import { toHex } from "../../foundation/hex.ts";
import type { AgentRemoteConfig } from "../../opamp/messages.ts";
import type { Change, ChangeRecord, Failure } from "./change.ts";
import type { ConfigurationInputs } from "./snapshots.ts";
import { tidySnapshots } from "./tidy-snapshots.ts";
import type { Workshop } from "./workshop.ts";

/** The explicit empty configuration map: the server's order to run no Collector. It survives restarts. */
export class StopChange implements Change {
  readonly record: ChangeRecord;
  readonly #offer: AgentRemoteConfig;
  readonly #inputs: ConfigurationInputs;
  readonly #workshop: Workshop;
  #release: () => void = () => undefined;

  readonly #settled: (failure: Failure | undefined) => void;

  constructor(
    id: string,
    offer: AgentRemoteConfig,
    inputs: ConfigurationInputs,
    workshop: Workshop,
    settled: (failure: Failure | undefined) => void,
  ) {
    this.#settled = settled;
    this.record = { kind: "configuration", id, detail: { trigger: "stop" } };
    this.#offer = offer;
    this.#inputs = { ...inputs, remote: offer };
    this.#workshop = workshop;
  }

  async stage(): Promise<Failure | undefined> {
    const distrust = await this.#workshop.distrust(this.#offer);
    if (distrust !== undefined) return distrust;
    const { id } = this.record;
    await this.#workshop.snapshots.save({ id, text: "", inputs: this.#inputs });
    await this.#workshop.reportRemote(this.#offer, { t: "applying" });
    return undefined;
  }

  async check(): Promise<undefined> {
    return undefined;
  }

  async switchOver(): Promise<undefined> {
    const { collector } = this.#workshop;
    this.#release = collector.claim();
    await collector.stop();
  }

  async prove(): Promise<undefined> {
    return undefined;
  }

  async keep(): Promise<void> {
    const { book } = this.#workshop;
    const remoteHash = toHex(this.#offer.configHash);
    const { packages } = this.#inputs;
    await book.keep({ id: null, contentHash: "", remoteHash, role: "desired", cause: "remote", packages });
    await this.#workshop.saveKept(this.#inputs);
    await this.#workshop.reportRemote(this.#offer, { t: "applied" });
    this.#settled(undefined);
    await tidySnapshots(this.#workshop);
    this.#workshop.runningChanged();
    this.#release();
    const fields = { event: "config_updated", config_hash: remoteHash };
    this.#workshop.logger.info(fields, "the server's empty configuration stopped the Collector");
  }

  async reject(failure: Failure): Promise<void> {
    this.#release();
    await this.#workshop.reportRemote(this.#offer, { t: "failed", reason: failure.reason });
    this.#settled(failure);
  }

  revert(failure: Failure): Promise<void> {
    return this.reject(failure);
  }
}
