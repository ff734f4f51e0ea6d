import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { AgentRemoteConfigSchema, ConnectionSettingsOffersSchema } from "../../src/opamp/messages.ts";
import { type CompositionInput, compose } from "../../src/supervisor/configuration/compose.ts";
import { collectorBinary } from "../support/collector.ts";
import { tempDir } from "../support/temp-dir.ts";

const reference = (body: string) => `$\{${body}}`;
const gate = ["--feature-gates", "service.AllowNoPipelines"];

function composed(input: Partial<CompositionInput> & { body?: string } = {}): string {
  const { body, ...rest } = input;
  const entries = body === undefined ? undefined : { "": { body: new TextEncoder().encode(body) } };
  const remote = entries && create(AgentRemoteConfigSchema, { config: { configMap: entries } }).config;
  return compose({
    configFiles: [],
    localFiles: {},
    acceptsRemoteConfig: true,
    remote,
    ownTelemetry: undefined,
    pemPath: (pem) => `/pem/${pem}`,
    attributes: {},
    extension: {
      instanceUid: "018fee23-4a51-7303-a441-73faed7d9deb",
      port: 4321,
      token: "abc",
      mark: "0011",
      reportsAvailableComponents: true,
    },
    noPipelines: "nop-pipeline",
    ...rest,
  }).text;
}

/** Runs the Collector over a composed configuration. */
async function collector(command: readonly string[], text: string, env: Record<string, string> = {}) {
  const path = join(tempDir(), "effective.yaml");
  await writeFile(path, text);
  const [name = "", ...args] = command;
  const all = [name, "--config", path, ...args];
  return new Promise<{ ok: boolean; stdout: string; output: string }>((resolve) => {
    execFile(collectorBinary(), all, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ ok: error === null, stdout, output: stdout + stderr }),
    );
  });
}

const validate = (text: string, args: readonly string[] = []) => collector(["validate", ...args], text);

interface Understood {
  service: { telemetry: { resource: Record<string, string> } };
  extensions: { opamp: { server: { ws: { headers: Record<string, string> } } } };
}

/** The configuration as the Collector understood it. */
async function understood(text: string, env: Record<string, string> = {}): Promise<Understood> {
  const print = ["print-config", "--mode", "unredacted", "--format", "json"];
  const { ok, stdout, output } = await collector(print, text, env);
  expect({ ok, output: ok ? "" : output }).toEqual({ ok: true, output: "" });
  return JSON.parse(stdout) as Understood;
}

/** Texts that some YAML reader takes for something else, or that the Collector would expand. */
const oddTexts = {
  ...{ quote: 'a"b', backslash: "a\\b\\n", both: '\\"', apostrophe: "it's", newline: "a\nb\n", tab: "a\tb" },
  ...{ yes: "yes", on: "on", hex: "0x10", float: "1e3", octal: "012", underscore: "1_000", nothing: "null" },
  ...{ tilde: "~", date: "2001-01-01", empty: "", spaces: "  a  ", colon: "a: b", hash: "a #b", dash: "- a" },
  ...{
    anchor: "&a",
    alias: "*a",
    tag: "!a",
    emoji: "😀 é",
    nel: "a\u0085b",
    separator: "a\u2028b",
    del: "\u007f",
  },
  ...{ dollar: "a$b", dollars: "$$$", reference: reference("env:HOME"), nested: `$$${reference("X")}` },
  ...{ "key: with #odd 'characters\"": "v", "1": "v", true: "v", "é 😀": "v" },
};

/** In the Collector's own YAML, where kinds of numbers can be told apart. */
function actionsOf(printed: string): string | undefined {
  return /^processors:\n(?: .*\n)+/m.exec(printed)?.[0];
}

describe("composed configurations and the Collector", () => {
  it("accepts no configuration with the gate, and with a pipeline that does nothing without it", async () => {
    expect(await validate(composed({ noPipelines: "gate" }), gate)).toMatchObject({ ok: true });
    expect(await validate(composed())).toMatchObject({ ok: true });
    // Else this would prove nothing.
    const refused = await validate(composed({ noPipelines: "gate" }));
    expect(refused.ok).toBe(false);
    expect(refused.output).toContain("pipeline");
  });

  it("accepts a remote configuration with OTTL statements and references", async () => {
    const body = `
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:0"}}}
  hostmetrics: {collection_interval: 1000s, scrapers: {memory: null}}
processors:
  transform:
    error_mode: ignore
    log_statements:
      - context: log
        statements:
          - 'set(attributes["a\\"b"], "x\\\\y: #z") where IsMatch(body, "^\\\\d+$$")'
          - 'set(severity_text, "it''s") where severity_number == 0x10'
  batch: {timeout: 1s, send_batch_size: 8192}
exporters: {debug: {verbosity: detailed, sampling_initial: 0x10}}
service::pipelines:
  logs: {receivers: [otlp], processors: [transform, batch], exporters: [debug]}
  metrics: {receivers: [otlp, hostmetrics], processors: [batch], exporters: [debug]}
service: {telemetry: {logs: {level: "${reference("env:LEVEL:-debug")}"}}}
`
      .replace("1000s", "1000s")
      .replace("1s", "1s");
    const { ok, output } = await validate(composed({ body }));
    expect(output).toBe("");
    expect(ok).toBe(true);
  });

  it("accepts own telemetry, each signal and header text that must not be expanded", async () => {
    const settings = (destinationEndpoint: string) => ({
      destinationEndpoint,
      headers: { headers: Object.values(oddTexts).map((value, n) => ({ key: `h${n}`, value })) },
    });
    for (const signals of [
      ["ownMetrics"],
      ["ownTraces"],
      ["ownLogs"],
      ["ownMetrics", "ownTraces", "ownLogs"],
    ]) {
      const offers = Object.fromEntries(
        signals.map((signal) => [signal, settings("http://127.0.0.1:4318/v1/x")]),
      );
      const ownTelemetry = create(ConnectionSettingsOffersSchema, offers);
      expect(await validate(composed({ ownTelemetry }))).toMatchObject({ ok: true, output: "" });
    }
  });

  it("understands header values with quotes, backslashes and dollars as they are", async () => {
    const token = `a"b\\c'${reference("env:HOME")}$$`;
    const extension = {
      instanceUid: "018fee23-4a51-7303-a441-73faed7d9deb",
      port: 4321,
      token,
      mark: 'm"\\$',
      reportsAvailableComponents: true,
    };
    const { extensions } = await understood(composed({ extension }));
    expect(extensions.opamp.server.ws.headers).toEqual({
      Authorization: `Bearer ${token}`,
      "X-OpAMP-Supervisor-Change": 'm"\\$',
    });
  });

  it("understands attributes of the description as they are, whatever characters they have", async () => {
    const { service } = await understood(composed({ attributes: oddTexts }));
    expect(service.telemetry.resource).toEqual(oddTexts);
  });

  it("understands texts of a remote configuration as they are, and expands its references itself", async () => {
    const literal = Object.entries(oddTexts).filter(([, value]) => !value.includes("$"));
    const resource = Object.fromEntries([...literal, ["expanded", reference("env:ODD")], ["escaped", "$$x"]]);
    const body = JSON.stringify({ service: { telemetry: { resource } } });
    const { service } = await understood(composed({ body }), { ODD: 'v"alue' });
    expect(service.telemetry.resource).toEqual({
      ...Object.fromEntries(literal),
      expanded: 'v"alue',
      escaped: "$x",
    });
  });

  it("keeps the kind of numbers", async () => {
    const body = `
receivers: {otlp: {protocols: {grpc: null}}}
exporters: {debug: null}
processors:
  attributes:
    actions:
      - {key: int, action: upsert, value: 1}
      - {key: float, action: upsert, value: 1.0}
      - {key: octal, action: upsert, value: 012}
      - {key: exponent, action: upsert, value: 1e3}
      - {key: large, action: upsert, value: 9223372036854775807}
      - {key: bool, action: upsert, value: true}
      - {key: word, action: upsert, value: yes}
service: {pipelines: {logs: {receivers: [otlp], processors: [attributes], exporters: [debug]}}}
`;
    // The same text, not composed, is what the Collector itself makes of it.
    const { stdout: own } = await collector(["print-config"], body);
    const { stdout: ours } = await collector(["print-config"], composed({ body }));
    expect(actionsOf(own)).toContain("value: 9223372036854775807");
    expect(actionsOf(ours)).toBe(actionsOf(own));
  });
});
