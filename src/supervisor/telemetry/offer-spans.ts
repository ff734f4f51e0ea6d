import { toHex } from "../../foundation/hex.ts";
import type { Span, Tracer } from "./tracer.ts";

/** What became of a remote configuration. */
export type OfferVerdict = { t: "applying" } | { t: "applied" } | { t: "failed"; reason: string };

/** One span for each remote configuration, from the offer to the verdict. */
export class OfferSpans {
  readonly #tracer: Tracer;
  #open: { hash: string; span: Span } | undefined;

  constructor(tracer: Tracer) {
    this.#tracer = tracer;
  }

  /** The server offers it, perhaps once more. */
  offered(configHash: Uint8Array): void {
    const hash = toHex(configHash);
    if (this.#open?.hash === hash) return;
    // Latest wins: of an older one that is still under way nobody waits for the verdict.
    this.#open?.span.set({ outcome: "superseded" });
    this.#open?.span.end();
    const span = this.#tracer.start("processRemoteConfigMessage", { config_hash: hash });
    this.#open = { hash, span };
  }

  decided(configHash: Uint8Array, verdict: OfferVerdict): void {
    const open = this.#open;
    if (verdict.t === "applying" || open?.hash !== toHex(configHash)) return;
    this.#open = undefined;
    open.span.set({ outcome: verdict.t });
    open.span.end(verdict.t === "failed" ? verdict.reason : undefined);
  }
}
