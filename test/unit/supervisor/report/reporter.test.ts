import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import { AgentDescriptionSchema, type EffectiveConfig } from "../../../../src/opamp/messages.ts";
import {
  ConfigurationBook,
  emptyBook,
  type Reference,
} from "../../../../src/supervisor/change/configuration-book.ts";
import { toRemoteConfigStatus } from "../../../../src/supervisor/report/remote-config-status.ts";
import { Reporter } from "../../../../src/supervisor/report/reporter.ts";
import { CollectorRig, configOf, healthOf, launchOf, settled } from "../../../support/collector-rig.ts";

function reporting(
  current: Partial<Reference> | null = {},
  before: (rig: CollectorRig) => void = () => undefined,
) {
  const rig = new CollectorRig();
  const state = new ReportedState({ instanceUid: new Uint8Array(16).fill(1), capabilities: 0n });
  const reference = {
    id: "a",
    contentHash: "",
    remoteHash: null,
    role: "desired",
    cause: "remote",
    packages: null,
  } as const;
  const book = new ConfigurationBook(
    { ...emptyBook, current: current && { ...reference, ...current } },
    async () => true,
  );
  const concerns: string[] = [];
  const own = { identifying: { "service.name": "otelcol" }, nonIdentifying: {} };
  const reporter = new Reporter({
    state,
    collector: rig.collector,
    book,
    clock: rig.clock,
    overrides: { identifying: {}, nonIdentifying: {} },
    ownCustomCapabilities: [],
    redactedText: async (id) => `text of ${id}`,
    mask: (text) => text.replaceAll("s3cret", "[REDACTED]"),
    concerns: () => ({ certificates: concerns, credentials: [] }),
  });
  before(rig);
  reporter.start(own);
  return { rig, state, reporter, book, concerns };
}

function textOf(config: EffectiveConfig | undefined): string | undefined {
  const body = config?.configMap?.configMap[""]?.body;
  return body && new TextDecoder().decode(body);
}

describe("Reporter", () => {
  it("follows the Collector from its start to its health and its end", async () => {
    const { rig, state } = reporting();
    expect(state.get("health")).toMatchObject({ healthy: false, status: "stopped" });
    await rig.collector.run(launchOf("a"), false);
    expect(state.get("health")).toMatchObject({ healthy: false, status: "starting" });
    rig.healthy("a");
    expect(state.get("health")).toMatchObject({ healthy: true, status: "StatusOK" });
    rig.process.exit({ code: 2 });
    await settled();
    expect(state.get("health")).toMatchObject({
      healthy: false,
      lastError: "the Collector ended: exit code 2",
    });
  });

  it("says once that the Collector is being stopped, whatever else happens meanwhile", async () => {
    const { rig, state, reporter } = reporting();
    await rig.running("a");
    const process = rig.processes.at(-1)!;
    process.obeys = false;
    const stopped = rig.collector.stop();
    await settled();
    const told = state.version("health");
    rig.clock.advance(1_000);
    reporter.refresh();
    reporter.refresh();
    expect(state.get("health")?.status).toBe("stopping");
    expect(state.version("health")).toBe(told);
    process.exit({ code: 0, requested: true });
    await stopped;
  });

  it("does not take the health of the last launch for that of the next", async () => {
    const { rig, state } = reporting();
    await rig.running("a");
    await rig.collector.run(launchOf("b"), true);
    expect(state.get("health")).toMatchObject({ healthy: false, status: "starting" });
  });

  it("masks secrets in what it says of itself", async () => {
    const { rig, state } = reporting();
    rig.spawnError = new Error("bad flag s3cret");
    rig.collector.relaunchAfter(launchOf("a"), 0, "it died");
    await settled();
    expect(state.get("health")?.lastError).toBe("the Collector cannot be started: bad flag [REDACTED]");
  });

  it("says why an empty Collector runs, in one line", async () => {
    const { rig, state, reporter } = reporting({ role: "bootstrap" });
    const reason = "unknown exporter\nmore of the log";
    state.set(
      "remoteConfigStatus",
      toRemoteConfigStatus({ configHash: new Uint8Array() }, { t: "failed", reason }),
    );
    await rig.running("a");
    reporter.refresh();
    expect(state.get("health")).toMatchObject({ healthy: false, status: "bootstrap: StatusOK" });
    expect(state.get("health")?.lastError).toMatch(/because: unknown exporter$/);
  });

  it("shows what is to run until the Collector has answered for itself", async () => {
    const { rig, state } = reporting();
    await settled();
    expect(textOf(state.get("effectiveConfig"))).toBe("text of a");
    await rig.collector.run(launchOf("a"), false);
    rig.collector.reported(rig.link("a"), { effectiveConfig: configOf("what the Collector says") });
    expect(textOf(state.get("effectiveConfig"))).toBe("what the Collector says");
  });

  it("shows nothing when the order is to run nothing", async () => {
    const { rig, state, reporter, book } = reporting();
    await rig.running("a");
    await rig.collector.stop();
    const stop = { id: null, contentHash: "", remoteHash: "00", packages: null } as const;
    await book.keep({ ...stop, role: "desired", cause: "remote" });
    reporter.refresh();
    await settled();
    expect(textOf(state.get("effectiveConfig"))).toBe("");
    expect(state.get("health")).toMatchObject({ healthy: true, status: "stopped by an empty configuration" });
  });

  it("the same health again is no news, unless the Collector itself says more", async () => {
    const { rig, state, reporter } = reporting();
    let news = 0;
    state.subscribe((change) => {
      if (change === "health") news += 1;
    });
    rig.clock.advance(1_000);
    reporter.refresh();
    expect(news).toBe(0);
    await rig.running("a");
    news = 0;
    rig.clock.advance(1_000);
    reporter.refresh();
    expect(news).toBe(0);
    rig.collector.reported(rig.link("a"), { health: healthOf(true, "StatusRecovering") });
    expect(news).toBe(1);
  });

  it("describes itself, then also with what the extension adds, and forgets that with a new identity", () => {
    const { state, reporter } = reporting();
    const keys = () => state.get("agentDescription")?.identifyingAttributes.map(({ key }) => key);
    expect(keys()).toEqual(["service.name"]);
    const added = { key: "service.version", value: { value: { case: "stringValue" as const, value: "1" } } };
    reporter.described(create(AgentDescriptionSchema, { identifyingAttributes: [added] }));
    expect(keys()).toEqual(["service.name", "service.version"]);
    reporter.identified({ identifying: { "service.name": "other" }, nonIdentifying: {} });
    expect(keys()).toEqual(["service.name"]);
  });

  it("says good-bye in the reference's words", async () => {
    const { rig, state, reporter } = reporting();
    await rig.running("a");
    reporter.shuttingDown();
    expect(state.get("health")).toMatchObject({ healthy: false, lastError: "Supervisor is shutdown" });
  });
});

describe("certificates that end soon", () => {
  it("are reported as soon as it is known, Collector or not", () => {
    const { state, reporter, concerns } = reporting();
    concerns.push("the client certificate expires");
    reporter.refresh();
    const told = () => state.get("health")?.componentHealthMap.certificates?.lastError;
    expect(told()).toBe("the client certificate expires");
    concerns.pop();
    reporter.refresh();
    expect(told()).toBeUndefined();
  });
});

describe("a Collector that was left running", () => {
  it("is reported also where it dialled in and said everything before anybody listened", async () => {
    const { state } = reporting({}, (rig) => void rig.healthy("a"));
    await settled();
    const { body } = state.get("effectiveConfig")?.configMap?.configMap[""] ?? {};
    expect(new TextDecoder().decode(body)).toBe("a");
  });
});
