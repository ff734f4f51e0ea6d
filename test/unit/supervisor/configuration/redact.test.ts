import { describe, expect, it } from "vitest";
import { readYaml } from "../../../../src/foundation/collector-yaml/yaml-reader.ts";
import { redact } from "../../../../src/supervisor/configuration/redact.ts";
import { redactTelemetry } from "../../../../src/supervisor/configuration/redact-telemetry.ts";
import { collectSecrets, SecretMasker } from "../../../../src/supervisor/configuration/secrets.ts";

const hidden = "[REDACTED]";

describe("what the Collector reports of itself", () => {
  const reported = (headers: string) => `exporters:
    otlp:
        headers:
            x: kept
service:
    telemetry:
        logs:
            processors:
                - batch:
                    exporter:
                        otlp:
                            ${headers}
`;

  it("loses the headers of its own telemetry, and no others", () => {
    const tree = readYaml(redactTelemetry(reported("headers: [{name: X-Key, value: s3cret}]")));
    expect(tree).toEqual(readYaml(reported(`headers: [{name: X-Key, value: "${hidden}"}]`)));
    expect(redactTelemetry(reported("headers_list: X-Key=s3cret"))).not.toContain("s3cret");
  });

  it("is left as it is where there are none, and cut where it cannot be read", () => {
    const without = reported("endpoint: http://a");
    expect(redactTelemetry(without)).toBe(without);
    const damaged = reported("headers: [{name: X-Key, value: s3cret}");
    expect(redactTelemetry(damaged)).toBe(damaged.slice(0, damaged.indexOf("service:")));
  });
});

describe("redact", () => {
  it("hides all header values, in maps and in lists", () => {
    const tree = readYaml(
      "a: {headers: {x: 1, value: v, key: k}}\nb: {headers: [{name: n, value: v}, {key: k, value: v}]}",
    );
    expect(redact(tree)).toEqual({
      a: { headers: { x: hidden, value: hidden, key: hidden } },
      b: {
        headers: [
          { name: "n", value: hidden },
          { key: "k", value: hidden },
        ],
      },
    });
  });

  it.each([
    ...[
      "password",
      "client_secret",
      "api_key",
      "apiKey",
      "token",
      "bearer_token",
      "Authorization",
      "private_key",
    ],
    ...[
      "key_pem",
      "credentials",
      "access_key",
      "secret_key",
      "passphrase",
      "connection_string",
      "datasource",
    ],
    ...["auth_token", "account_key", "license_key", "custom_headers", "community", "cookie"],
  ])("hides what %s holds", (key) => {
    expect(redact({ x: { [key]: "v", [`${key}s`]: null } })).toEqual({
      x: { [key]: hidden, [`${key}s`]: null },
    });
    expect(redact({ [key]: { deep: ["v", 1n] } })).toEqual({ [key]: { deep: [hidden, hidden] } });
  });

  it.each([
    ...["key_file", "password_file", "token_url", "endpoint", "username", "authenticator", "key", "from_key"],
    ...["max_tokens", "encoding", "compression", "passthrough", "ca_file"],
  ])("shows what %s holds", (key) => {
    expect(redact({ x: { [key]: "v" } })).toEqual({ x: { [key]: "v" } });
  });

  it("hides the key of an api", () => {
    expect(redact({ datadog: { api: { key: "v", site: "s" } } })).toEqual({
      datadog: { api: { key: hidden, site: "s" } },
    });
  });

  it("hides users, passwords and secret parameters of URLs", () => {
    expect(redact({ endpoint: "https://u:p@host:1/x?api_key=abc&y=1", other: ["amqp://u:p@h"] })).toEqual({
      endpoint: `https://${hidden}@host:1/x?api_key=${hidden}&y=1`,
      other: [`amqp://${hidden}@h`],
    });
  });
});

describe("secrets", () => {
  const reference = (body: string) => `$\{${body}}`;
  const env: Record<string, string> = {
    TOKEN: "env-token-value",
    PORT: "4317",
    MAP: "password: in-a-map\nendpoint: some-endpoint",
    CHAIN: `x${reference("env:TOKEN")}`,
    FLAG: "true",
    NUMBER: "123456",
  };
  const files: Record<string, string> = {
    "/run/secret": "file-secret\n",
    "/run/key.pem": "-----BEGIN KEY-----\nMIIBVQIBADANBgk\nqhkiG9w0BAQEF\n-----END KEY-----\n",
  };
  const readers = {
    env: (name: string) => env[name],
    readFile: (path: string) =>
      files[path] === undefined ? Promise.reject(new Error("ENOENT")) : Promise.resolve(files[path]),
  };
  const secretsOf = async (text: string) => [...(await collectSecrets(readYaml(text), readers))].sort();

  it.each([
    [
      "a literal",
      "exporters: {otlp: {headers: {Authorization: Bearer abcdef, x: a$$b-c}}}",
      ["Bearer abcdef", "a$b-c", "abcdef"],
    ],
    ["a number", "password: 123456", ["123456"]],
    ["what env resolves to, anywhere", `endpoint: http://${reference("env:TOKEN")}/x`, ["env-token-value"]],
    ["what env resolves to by its short form", `endpoint: ${reference("TOKEN")}`, ["env-token-value"]],
    ["what a file holds", `a: ${reference("file:/run/secret")}`, ["file-secret"]],
    ["a secret default", `password: ${reference("env:NOPE:-default-password")}`, ["default-password"]],
    ["only the secret keys of a map from outside", `a: ${reference("env:MAP")}`, ["in-a-map"]],
    [
      "what is behind a chain",
      `a: ${reference("env:CHAIN")}`,
      ["env-token-value", `x${reference("env:TOKEN")}`],
    ],
    [
      "the password in a URL",
      "endpoint: https://user:hunter22@host/?api_key=key12345",
      ["hunter22", "key12345"],
    ],
    ["a longer number from outside", `a: ${reference("env:NUMBER")}`, ["123456"]],
    ["not what is no secret", `a: b\nport: ${reference("env:PORT")}\nb: ${reference("env:FLAG")}`, []],
    ["not a default that is written openly", `a: ${reference("env:NOPE:-default-value")}`, []],
    ["not an escaped reference", `a: $${reference("env:TOKEN")}`, []],
    ["not what cannot be read", `a: ${reference("file:/gone")}`, []],
    ["nothing shorter than 4", "password: abc", []],
  ])("finds %s", async (_, text, secrets) => {
    expect(await secretsOf(text)).toEqual(secrets);
  });

  it("finds the lines of a key file", async () => {
    const secrets = await secretsOf(`a: ${reference("file:/run/key.pem")}`);
    expect(secrets).toContain("MIIBVQIBADANBgk");
    expect(secrets).toContain("qhkiG9w0BAQEF");
  });

  it("masks longer secrets first, overlaps, and what JSON escapes", () => {
    const masker = new SecretMasker(["secret", "secret-longer", "cdefgh", "abcd", 'quo"te', "abc"]);
    expect(masker.mask("a secret-longer and secret")).toBe(`a ${hidden} and ${hidden}`);
    expect(masker.mask("xabcdefghx abc")).toBe(`x${hidden}x abc`);
    expect(masker.mask(JSON.stringify({ m: 'a quo"te' }))).toBe(`{"m":"a ${hidden}"}`);
    expect(masker.mask("nothing")).toBe("nothing");
  });

  it("masks in any case", () => {
    const masker = new SecretMasker([
      "zqOtherMixed88",
      "ÄrgerlichesGeheimnis",
      "stra\u00dfe-ABC",
      "\u0130STANBUL",
    ]);
    expect(masker.mask('unknown level "zqothermixed88" or ZQOTHERMIXED88')).toBe(
      `unknown level "${hidden}" or ${hidden}`,
    );
    expect(masker.mask("x ärgerlichesGEHEIMNIS x")).toBe(`x ${hidden} x`);
    expect(masker.mask("STRA\u00dfE-abc, \u0130stanbul.")).toBe(`${hidden}, ${hidden}.`);
    // A letter that is two when it is small must not move what follows.
    expect(masker.mask("\u0130\u0130 zqOthermixed88 x")).toBe(`\u0130\u0130 ${hidden} x`);
  });

  it.each([
    ["JSON", 'q"u\\o\tte', String.raw`q\"u\\o\tte`],
    ["Go", 'q"u\u0001\u0007ote', String.raw`q\"u\x01\aote`],
    ["Go in a JSON log", 'q"uote', String.raw`q\\\"uote`],
    ["Go's JSON", "a<b>&c", String.raw`a\u003cb\u003e\u0026c`],
    ["YAML", "it's mine", "it''s mine"],
    ["a URL", "p@ss/word", "p%40ss%2Fword"],
  ])("masks what is quoted for %s", (_, secret, quoted) => {
    expect(new SecretMasker([secret]).mask(`a ${quoted} b`)).toBe(`a ${hidden} b`);
  });

  it("reads a file once, however often it is named", async () => {
    let reads = 0;
    const tree = readYaml(`a: "${reference("file:/x").repeat(1000)}"`);
    const readFile = async () => {
      reads += 1;
      return "secret";
    };
    await collectSecrets(tree, { env: () => undefined, readFile });
    expect(reads).toBe(1);
  });
});
