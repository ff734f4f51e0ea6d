import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ReportedState } from "../../../../../src/opamp/agent/reported-state.ts";
import { RemoteConfigStatuses, RemoteConfigStatusSchema } from "../../../../../src/opamp/messages.ts";
import {
  ConfigurationBook,
  emptyBook,
  type Reference,
} from "../../../../../src/supervisor/change/configuration-book.ts";
import type { JournalEntry } from "../../../../../src/supervisor/change/journal.ts";
import type { WatchedCertificate } from "../../../../../src/supervisor/connection/certificate/certificate-watch.ts";
import { countExits } from "../../../../../src/supervisor/operations/control/collector-exits.ts";
import {
  describeStatus,
  type StatusSources,
} from "../../../../../src/supervisor/operations/control/status.ts";
import { makeStatusSchema } from "../../../../../src/supervisor/operations/control/status-view.ts";
import { Reporter } from "../../../../../src/supervisor/report/reporter.ts";
import { CollectorRig, healthOf, launchOf, settled } from "../../../../support/collector-rig.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

const { RemoteConfigStatuses_FAILED: failed, RemoteConfigStatuses_APPLIED: applied } = RemoteConfigStatuses;

type Program = Awaited<ReturnType<StatusSources["program"]>>;
const otelcol: Program = { source: "local", path: "/otelcol", version: null };

const noConcerns = { certificates: [], credentials: [] };

function host(given: Partial<Reference> | null = {}, program: Program = otelcol) {
  const rig = new CollectorRig();
  const directory = tempDir();
  const state = new ReportedState({ instanceUid: new Uint8Array(16).fill(1), capabilities: 0n });
  const reference: Reference = {
    ...{ id: "a", contentHash: "cc", remoteHash: "aabbcc", packages: null },
    ...({ role: "desired", cause: "remote" } as const),
  };
  const current = given && { ...reference, ...given };
  const book = new ConfigurationBook({ ...emptyBook, current }, async () => true);
  const mask = (text: string) => text.replaceAll("s3cret", "[REDACTED]");
  const reporter = new Reporter({
    ...{ state, collector: rig.collector, book, clock: rig.clock, mask, concerns: () => noConcerns },
    overrides: { identifying: {}, nonIdentifying: {} },
    ownCustomCapabilities: [],
    redactedText: async () => "",
  });
  reporter.start({ identifying: {}, nonIdentifying: {} });
  const journal: { entry: JournalEntry | undefined } = { entry: undefined };
  const presence = {
    endpoint: "wss://example.com/v1/opamp",
    connected: false,
    since: rig.clock.now(),
    lastError: "401: bad token s3cret" as string | undefined,
  };
  const { exits, stop } = countExits(rig.collector, rig.clock);
  const credentials = { concerns: [] as string[] };
  const certificates = { certificates: [] as WatchedCertificate[], concerns: [] as string[] };
  const trust: string[] = [];
  const storage = { unwritten: [] as string[], freeBytes: 1_000 };
  const tell = async () => {
    const view = await describeStatus({
      ...{ clock: rig.clock, version: "1.2.3", startedAt: 0, state, collector: rig.collector, exits, book },
      ...{ journal, reporter, mask, upstream: { presence }, certificates, storage: () => storage },
      credentials,
      trust: { concerns: async () => trust },
      memory: undefined,
      snapshots: { path: (id) => join(directory, `${id}.yaml`) },
      program: async () => program,
    });
    expect(makeStatusSchema().parse(view)).toEqual(view);
    return view;
  };
  const verdict = (status: RemoteConfigStatuses, errorMessage = "") => {
    const lastRemoteConfigHash = new Uint8Array([0xaa, 0xbb]);
    state.set(
      "remoteConfigStatus",
      create(RemoteConfigStatusSchema, { status, errorMessage, lastRemoteConfigHash }),
    );
    reporter.refresh();
  };
  return {
    rig,
    directory,
    state,
    book,
    journal,
    presence,
    tell,
    verdict,
    stop,
    certificates,
    credentials,
    trust,
    storage,
  };
}

describe("describeStatus", () => {
  it("of a Collector that is well on what is desired is healthy, server or not", async () => {
    const { rig, directory, tell, verdict } = host();
    writeFileSync(join(directory, "a.yaml"), "");
    verdict(applied);
    await rig.running("a");
    rig.clock.advance(90_000);
    expect(await tell()).toMatchObject({
      verdict: "healthy",
      reasons: [],
      supervisor: { version: "1.2.3", uptime_seconds: 90 },
      instance_uid: "01010101-0101-0101-0101-010101010101",
      server: {
        connected: false,
        since: "2026-01-01T00:00:00.000Z",
        last_error: "401: bad token [REDACTED]",
      },
      collector: {
        state: "running",
        pid: 100,
        healthy: true,
        status: "StatusOK",
        last_error: null,
        exits: 0,
      },
      configuration: { role: "desired", remote_hash: "aabbcc", since: expect.stringMatching(/^2.*Z$/) },
      remote_config: { status: "APPLIED", hash: "aabb", error: null },
      change: null,
    });
  });

  it("names a certificate that ends soon, and what the disk refuses", async () => {
    const { rig, certificates, credentials, trust, storage, tell } = host();
    await rig.running("a");
    const validUntil = Date.parse("2026-01-05T00:00:00Z");
    certificates.certificates = [{ use: "client", validFrom: 0, validUntil, noticeMs: 1 }];
    expect(await tell()).toMatchObject({
      verdict: "healthy",
      certificates: [{ use: "client", expires: "2026-01-05T00:00:00.000Z" }],
      storage: { free_bytes: 1_000, unwritten: [] },
    });
    certificates.concerns = ["the client certificate expires soon"];
    credentials.concerns = ["server.oauth2: the token endpoint was not reached"];
    trust.push("no remote configuration is trusted: no key");
    storage.unwritten = ["crashes.json"];
    expect(await tell()).toMatchObject({
      verdict: "degraded",
      reasons: [
        "the disk refuses what is to be written down: crashes.json",
        "the client certificate expires soon",
        "server.oauth2: the token endpoint was not reached",
        "no remote configuration is trusted: no key",
      ],
    });
  });

  it("of an unhealthy Collector is degraded, with its own words", async () => {
    const { rig, tell } = host();
    await rig.collector.run(launchOf("a"), false);
    expect(await tell()).toMatchObject({
      verdict: "degraded",
      reasons: ["the Collector is starting"],
    });
    const link = rig.healthy("a");
    const ill = { ...healthOf(false, "StatusRecoverableError"), lastError: "no route\nto host" };
    rig.collector.reported(link, { health: ill });
    expect(await tell()).toMatchObject({
      reasons: ["the Collector is unhealthy (StatusRecoverableError): no route"],
      collector: { state: "running", last_error: "no route\nto host" },
    });
    rig.process.exit({ code: 2 });
    await settled();
    expect((await tell()).reasons).toEqual(["the Collector does not run: the Collector ended: exit code 2"]);
  });

  it.each([
    ["last-known-good", "an older configuration runs, the last one known to be good"],
    ["fallback", "one of startup_fallback_configs runs"],
    ["bootstrap", "an empty configuration runs: nothing is collected"],
  ] as const)("on the %s configuration is degraded", async (role, reason) => {
    const { rig, tell } = host({ role });
    await rig.running("a");
    expect(await tell()).toMatchObject({ verdict: "degraded", reasons: [reason] });
  });

  it("after an offer that failed is degraded, though what ran before is well", async () => {
    const { rig, tell, verdict } = host();
    verdict(failed, "refused: unknown type\nmore");
    await rig.running("a");
    expect(await tell()).toMatchObject({
      reasons: ["the server's last configuration failed: refused: unknown type"],
      remote_config: { status: "FAILED", error: "refused: unknown type\nmore" },
    });
  });

  it("of a host that was told to run none is healthy", async () => {
    const { tell } = host({ id: null });
    expect(await tell()).toMatchObject({
      verdict: "healthy",
      collector: { state: "stopped", pid: null, uptime_seconds: null },
      configuration: { role: "stopped", content_hash: null, since: null },
    });
  });

  it("of a host that never ran anything says so", async () => {
    const { tell, journal } = host(null);
    const fault = "no configuration has come to run yet";
    expect((await tell()).reasons).toContain(fault);
    journal.entry = {
      kind: "configuration",
      id: "b",
      detail: { trigger: "remote" },
      step: "proving",
      attempt: 1,
    };
    const { reasons, change } = await tell();
    expect(reasons).not.toContain(fault);
    expect(change).toEqual({ kind: "configuration", step: "proving", trigger: "remote" });
  });

  it("of a host that has no Collector yet says why, and nothing else", async () => {
    const { tell } = host(null, { missing: "it waits for a package of the server" });
    const reasons = ["it waits for a package of the server"];
    expect(await tell()).toMatchObject({ verdict: "degraded", reasons, program: null });
  });

  it("counts each end of the Collector once, also one that is told twice", async () => {
    const { rig, tell, stop } = host();
    await rig.running("a");
    const release = rig.collector.claim();
    rig.process.exit({ code: 2 });
    await settled();
    release();
    rig.clock.advance(1_000);
    const last_exit = { at: "2026-01-01T00:00:00.000Z", how: "exit code 2" };
    expect((await tell()).collector).toMatchObject({ exits: 1, last_exit });
    await rig.running("a");
    stop();
    rig.process.exit({ code: 2 });
    await settled();
    expect((await tell()).collector).toMatchObject({ exits: 1 });
  });
});
