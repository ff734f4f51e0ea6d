import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { toHex } from "../../foundation/hex.ts";
import {
  type ConnectionSettingsOffers,
  type OpAMPConnectionSettings,
  OpAMPConnectionSettingsSchema,
} from "../../opamp/messages.ts";
import type { CertificateRequestRecord, OfferId } from "../connection/connection-record.ts";
import { withOffer } from "../connection/offered-settings.ts";
import { ConnectionChange, type ConnectionChangeDeps } from "./connection-change.ts";
import type { RestoredConnection } from "./connection-restoration.ts";
import type { Road } from "./road.ts";
import type { NewMark } from "./workshop.ts";

/** The road of connections has one lane: only the newest offer counts. */
const lane = "offer";

interface ConnectionIntakeDeps extends ConnectionChangeDeps {
  road: Road;
  newMark: NewMark;
  /** The key that waits for its certificate. */
  request: () => CertificateRequestRecord | undefined;
}

/** Turns offers of OpAMP connection settings into changes on their road. */
export class ConnectionIntake {
  readonly #deps: ConnectionIntakeDeps;
  /** Key of the offer that waits or is under way. */
  #pending: string | undefined;

  constructor(deps: ConnectionIntakeDeps) {
    this.#deps = deps;
  }

  /** What was judged is not tried again, only told again. */
  offer({ hash, opamp }: ConnectionSettingsOffers): void {
    if (opamp === undefined) return;
    const { book, road, upstream } = this.#deps;
    const offer = identify(hash, opamp);
    book.offered(offer);
    // The session takes the heartbeat out of any offer (AN9); it is to count with the rest of it, and 0 not at all.
    upstream.retune(upstream.settings);
    if (this.#pending === offer.key) return;
    if (this.#pending === undefined && book.isSettled(offer)) {
      book.repeat();
      return;
    }
    this.#pending = offer.key;
    road.offer(lane, async () => {
      // It may have been under way while this one waited.
      if (!book.isSettled(offer)) return this.#change(offer, opamp);
      this.#settled(offer);
      return undefined;
    });
  }

  /** Tries again what an earlier process had begun; a newer offer goes first where nothing was touched yet. */
  resume(unfinished: RestoredConnection["unfinished"]): void {
    if (unfinished === undefined) return;
    const { candidate, entry } = unfinished;
    const { id, offer, overrides } = candidate;
    this.#pending ??= offer.key;
    const change = new ConnectionChange(id, offer, () => overrides, this.#changeDeps(), overrides);
    this.#deps.road.resume(change, entry, lane);
  }

  #change(offer: OfferId, opamp: OpAMPConnectionSettings): ConnectionChange {
    const { book, upstream, request, newMark } = this.#deps;
    const read = () =>
      withOffer({ overrides: book.inUse, current: upstream.settings, request: request() }, opamp);
    return new ConnectionChange(newMark(), offer, read, this.#changeDeps());
  }

  #changeDeps(): ConnectionChangeDeps {
    return {
      ...this.#deps,
      settled: (offer, failure) => {
        this.#settled(offer);
        this.#deps.settled(offer, failure);
      },
    };
  }

  #settled(offer: OfferId): void {
    if (this.#pending === offer.key) this.#pending = undefined;
  }
}

/** Offers without a hash are told apart by what they hold. */
function identify(hash: Uint8Array, opamp: OpAMPConnectionSettings): OfferId {
  const hex = toHex(hash);
  if (hex !== "") return { hash: hex, key: hex };
  const digest = createHash("sha256").update(toBinary(OpAMPConnectionSettingsSchema, opamp)).digest("hex");
  return { hash: "", key: `content-${digest}` };
}
