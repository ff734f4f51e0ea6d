import { isDeepStrictEqual } from "node:util";
import { equals } from "@bufbuild/protobuf";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import { toHex } from "../../foundation/hex.ts";
import {
  type ConnectionSettingsOffers,
  type TelemetryConnectionSettings,
  TelemetryConnectionSettingsSchema,
} from "../../opamp/messages.ts";
import { type Destination, destinationOf } from "../connection/collector/destination.ts";
import { type JudgeOptions, judgeTelemetry, signals } from "../connection/collector/judge.ts";
import { judgeOtherConnections } from "../connection/collector/other-connections.ts";
import { UnusableOfferError } from "../connection/unusable-offer.ts";
import type { Failure } from "./change.ts";
import { HostRetry } from "./host-retry.ts";
import { mergeOwnTelemetry } from "./own-telemetry.ts";

interface CollectorConnectionsDeps {
  /** As they were kept last. */
  accepted: () => ConnectionSettingsOffers | undefined;
  /** Puts an offer that can be used on the road; {@link CollectorConnections.settled} is to be told how it ended. */
  change(offers: ConnectionSettingsOffers): void;
  /** Tells the server (AN18); no failure means that it was kept. */
  report(hash: Uint8Array, failure: Failure | undefined): void;
  /** Finds out whether a destination can be had. Must not reject. */
  probe: (destination: Destination) => Promise<Failure | undefined>;
  policy: Omit<JudgeOptions, "now">;
  clock: Clock;
  random?: () => number;
}

/**
 * Offers of connections that the Collector makes: its own telemetry, and others that its configuration refers to. Each is judged and tried beside what runs before
 * it becomes a change of the configuration; one at a time, and what comes meanwhile waits as one.
 */
export class CollectorConnections {
  readonly #deps: CollectorConnectionsDeps;
  readonly #retry: HostRetry;
  #underWay: ConnectionSettingsOffers | undefined;
  #waiting: ConnectionSettingsOffers | undefined;
  /** What may refer to connections that are offered, and is to be tried after them. */
  #dependent: (() => void) | undefined;
  #stopped = false;

  constructor(deps: CollectorConnectionsDeps) {
    this.#deps = deps;
    this.#retry = new HostRetry(deps);
  }

  offer(offers: ConnectionSettingsOffers): void {
    this.#retry.cancel();
    if (this.#underWay === undefined) this.#begin(offers);
    // A signal that only the older one names is not lost.
    else this.#waiting = mergeOwnTelemetry(this.#waiting, offers);
  }

  /**
   * Runs what may refer to other connections: at once, or after those that are offered have been kept or refused. One
   * waits, the latest.
   */
  whenSettled(run: () => void): void {
    this.#dependent = undefined;
    if (this.#bringsOthers()) this.#dependent = run;
    else run();
  }

  /** What waits is not wanted any more. */
  forgetDependent(): void {
    this.#dependent = undefined;
  }

  /** How the change of an offer ended, also of one that an earlier process began. */
  settled(hash: Uint8Array, failure: Failure | undefined): void {
    this.#deps.report(hash, failure);
    const offers = this.#underWay;
    if (offers === undefined || toHex(offers.hash) !== toHex(hash)) return;
    const next = this.#waiting;
    this.#underWay = undefined;
    this.#waiting = undefined;
    if (failure === undefined) this.#retry.worked();
    // What waits is what the server wants by now, and not this one again.
    if (next !== undefined) this.#begin(next);
    else if (failure?.fault === "host") this.#retry.later(() => this.offer(offers));
    if (this.#dependent !== undefined) this.whenSettled(this.#dependent);
  }

  #bringsOthers(): boolean {
    return [this.#underWay, this.#waiting].some(
      (offers) => offers !== undefined && Object.keys(offers.otherConnections).length > 0,
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#retry.cancel();
  }

  #begin(offers: ConnectionSettingsOffers): void {
    this.#underWay = offers;
    const unexpected = (error: unknown): Failure => ({ fault: "host", reason: describeError(error) });
    void this.#judge(offers)
      .catch(unexpected)
      .then((failure) => {
        if (this.#stopped) return;
        if (failure === undefined) this.#deps.change(offers);
        else this.settled(offers.hash, failure);
      });
  }

  async #judge(offers: ConnectionSettingsOffers): Promise<Failure | undefined> {
    const { accepted, clock, policy, probe } = this.#deps;
    const before = accepted();
    const wanted = mergeOwnTelemetry(before, offers);
    try {
      // Only what is new: what was kept is not refused now for having been kept under other rules.
      const options = { ...policy, now: clock.now() };
      judgeTelemetry(changed(before, wanted), options);
      const named = Object.keys(offers.otherConnections).map((name) => [name, wanted.otherConnections[name]]);
      judgeOtherConnections(before?.otherConnections ?? {}, Object.fromEntries(named), options);
    } catch (error) {
      if (error instanceof UnusableOfferError) return { fault: "own", reason: error.message };
      throw error;
    }
    const failures = await Promise.all(
      signals.map(async ([field, name]) => {
        const destination = destinationOf(wanted[field]);
        if (destination === undefined || isDeepStrictEqual(destination, destinationOf(before?.[field])))
          return undefined;
        const failure = await probe(destination);
        return failure && { ...failure, reason: `own ${name}: ${failure.reason}` };
      }),
    );
    return failures.find((failure) => failure?.fault === "own") ?? failures.find((failure) => failure);
  }
}

function changed(
  before: ConnectionSettingsOffers | undefined,
  wanted: ConnectionSettingsOffers,
): ConnectionSettingsOffers {
  const only = { ...wanted };
  for (const [field] of signals) {
    if (isSame(wanted[field], before?.[field])) delete only[field];
  }
  return only;
}

function isSame(
  a: TelemetryConnectionSettings | undefined,
  b: TelemetryConnectionSettings | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  return equals(TelemetryConnectionSettingsSchema, a, b);
}
