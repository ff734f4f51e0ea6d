import { describe, expect, it } from "vitest";
import { load } from "../settings/support.ts";

const file = (server: string, rest = "") =>
  `server:\n  endpoint: wss://h:1/p\n${server}\n${rest}\nagent: {executable: /otelcol}\n`;
const digest = (server: string, env = {}) => load(file(server), env).settings.server.digest;

describe("the settings of the connection", () => {
  it.each([
    ["min_version", "1.0"],
    ["max_version", "1.1"],
  ])(
    "are accepted with a %s of %s, as the reference does, and it is said that 1.2 is the lowest",
    (key, version) => {
      const min = key === "max_version" ? 'min_version: "1.0", ' : "";
      const { warnings } = load(file(`  tls: {${min}${key}: "${version}"}`));
      expect(warnings.join("\n")).toContain(`server.tls.${key}: TLS ${version} is not used any more`);
    },
  );

  it("are doubted when a certificate is asked for that could not be taken", () => {
    const request = "  certificate: {request: true}";
    expect(load(file(request)).warnings.join()).toContain("accepts_opamp_connection_settings");
    const able = "capabilities: {accepts_opamp_connection_settings: true}";
    expect(load(file(request, able)).warnings).toEqual([]);
  });

  it("count as edited when endpoint, headers or tls are, and by nothing else", () => {
    const before = digest("  headers: {a: b, c: d}\n  tls: {ca_pem: x}");
    expect(digest("  # Said differently.\n  tls:\n    ca_pem: x\n  headers: {c: d, a: b}")).toBe(before);
    expect(digest("  headers: {a: b, c: d}\n  tls: {ca_pem: x}\n  max_message_size: 1MiB")).toBe(before);
    expect(digest("  headers: {a: b, c: e}\n  tls: {ca_pem: x}")).not.toBe(before);
    expect(digest("  headers: {a: b, c: d}\n  tls: {ca_pem: y}")).not.toBe(before);
    expect(digest("  headers: {a: b, c: d}")).not.toBe(before);
  });

  it("do not count as edited when a reference stands for something else", () => {
    const token = `  headers: {a: "Bearer $\{env:TOKEN}"}`;
    expect(digest(token, { TOKEN: "1" })).toBe(digest(token, { TOKEN: "2" }));
    expect(digest(token, { TOKEN: "1" })).not.toBe(digest('  headers: {a: "Bearer 1"}'));
  });
});
