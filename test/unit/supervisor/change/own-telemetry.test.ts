import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { ConnectionSettingsOffersSchema } from "../../../../src/opamp/messages.ts";
import { mergeOwnTelemetry } from "../../../../src/supervisor/change/own-telemetry.ts";

const before = create(ConnectionSettingsOffersSchema, {
  hash: new Uint8Array([1]),
  ownMetrics: {
    destinationEndpoint: "https://m",
    headers: { headers: [{ key: "a", value: "b" }] },
    tls: { caPemContents: "CA" },
  },
  ownLogs: { destinationEndpoint: "https://l" },
});

it("a signal that is not offered stays (AN2); one that is keeps its TLS settings (AN11), and nothing else", () => {
  const ownMetrics = { destinationEndpoint: "https://m2" };
  const offered = create(ConnectionSettingsOffersSchema, { hash: new Uint8Array([2]), ownMetrics });
  const merged = mergeOwnTelemetry(before, offered);
  expect(merged.hash).toEqual(new Uint8Array([2]));
  expect(merged.ownLogs).toBe(before.ownLogs);
  expect(merged.ownMetrics).toMatchObject({
    destinationEndpoint: "https://m2",
    tls: { caPemContents: "CA" },
  });
  expect(merged.ownMetrics?.headers).toBeUndefined();
});

it("an empty endpoint ends a signal", () => {
  const offered = create(ConnectionSettingsOffersSchema, { ownLogs: { destinationEndpoint: "" } });
  expect(mergeOwnTelemetry(before, offered).ownLogs?.destinationEndpoint).toBe("");
});
