import { describe, expect, it } from "vitest";
import { OfferSpans } from "../../../../src/supervisor/telemetry/offer-spans.ts";
import type { Span, SpanAttributes, Tracer } from "../../../../src/supervisor/telemetry/tracer.ts";

/** Writes down the spans that have ended. */
class RecordingTracer implements Tracer {
  readonly ended: { name: string; attributes: SpanAttributes; failure: string | undefined }[] = [];
  started = 0;

  start(name: string, first: SpanAttributes = {}): Span {
    this.started += 1;
    const attributes: Record<string, string | number | boolean> = { ...first };
    return {
      set: (more) => void Object.assign(attributes, more),
      end: (failure) => void this.ended.push({ name, attributes, failure }),
    };
  }

  during<T>(name: string, run: (span: Span) => T): T {
    return run(this.start(name));
  }
}

const hashA = new Uint8Array([0xaa]);
const hashB = new Uint8Array([0xbb]);

describe("the span of a remote configuration", () => {
  it.each([
    [{ t: "applied" } as const, undefined],
    [{ t: "failed", reason: "bad" } as const, "bad"],
  ])("goes from the offer to the verdict %j", (verdict, failure) => {
    const tracer = new RecordingTracer();
    const offers = new OfferSpans(tracer);
    offers.offered(hashA);
    offers.decided(hashA, { t: "applying" });
    offers.decided(hashB, { t: "applied" });
    expect(tracer.ended).toEqual([]);
    offers.decided(hashA, verdict);
    // A correction later is no second end.
    offers.decided(hashA, { t: "failed", reason: "later" });
    const attributes = { config_hash: "aa", outcome: verdict.t };
    expect(tracer.ended).toEqual([{ name: "processRemoteConfigMessage", attributes, failure }]);
  });

  it("is one for an offer that comes again, and ends as superseded when another one comes", () => {
    const tracer = new RecordingTracer();
    const offers = new OfferSpans(tracer);
    offers.offered(hashA);
    offers.offered(hashA);
    offers.offered(hashB);
    expect(tracer.started).toBe(2);
    expect(tracer.ended.map(({ attributes }) => attributes)).toEqual([
      { config_hash: "aa", outcome: "superseded" },
    ]);
  });
});
