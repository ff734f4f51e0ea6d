import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Value } from "../../../../src/foundation/collector-yaml/tree.ts";
import { ConnectionSettingsOffersSchema } from "../../../../src/opamp/messages.ts";
import { resolveConnections } from "../../../../src/supervisor/configuration/connection-references.ts";
import { mergeOtherConnections } from "../../../../src/supervisor/connection/collector/other-connections.ts";

const { otherConnections } = create(ConnectionSettingsOffersSchema, {
  otherConnections: {
    a: {
      destinationEndpoint: "https://a.example",
      headers: { headers: [{ key: "X.Key", value: "$1" }] },
      tls: { caPemContents: "CA", minVersion: "TLSv1.3" },
      otherSettings: { topic: "t" },
    },
    "a.b": { destinationEndpoint: "kafka:9092" },
  },
});

const resolved = (value: Value) =>
  resolveConnections({ value }, otherConnections, (pem) => `/pem/${pem}`).value;
const to = (path: string) => `\${opamp:connections.${path}}`;

describe("a reference to another connection (AN17)", () => {
  it.each<[string, Value]>([
    [to("a.endpoint"), "https://a.example"],
    [`${to("a.endpoint")}/v1/${to("a.settings.topic")}`, "https://a.example/v1/t"],
    [to("a.headers"), { "X.Key": "$$1" }],
    [to("a.headers.X.Key"), "$$1"],
    [to("a.tls"), { ca_file: "/pem/CA", min_version: "1.3" }],
    [to("a.tls.ca_file"), "/pem/CA"],
    [to("a.b.endpoint"), "kafka:9092"],
    [to("c.endpoint:-http://default"), "http://default"],
    [to("a.proxy_url:-"), ""],
    [`x ${to("c.endpoint:-y")}`, "x y"],
  ])("%s is %j", (text, value) => {
    expect(resolved(text)).toEqual(value);
    expect(resolved([{ key: text }])).toEqual([{ key: value }]);
  });

  it.each([to("c.endpoint"), to("a.nothing"), `x ${to("a.tls")}`, `$${to("a.endpoint")}`, `\${env:HOME}`])(
    "%s stays for the Collector to judge",
    (text) => {
      expect(resolved(text)).toBe(text);
    },
  );
});

it("an offer changes only what it sets (AN17)", () => {
  const offered = create(ConnectionSettingsOffersSchema, {
    otherConnections: { a: { otherSettings: { more: "m" } }, c: { destinationEndpoint: "c" } },
  }).otherConnections;
  expect(mergeOtherConnections(otherConnections, offered)).toMatchObject({
    a: { ...otherConnections.a, otherSettings: { topic: "t", more: "m" } },
    "a.b": { destinationEndpoint: "kafka:9092" },
    c: { destinationEndpoint: "c" },
  });
});
