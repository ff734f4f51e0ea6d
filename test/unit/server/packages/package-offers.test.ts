import { createHash } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import { AgentCapability, ServerCapability } from "../../../../src/opamp/bits.ts";
import { decodeBody } from "../../../../src/opamp/framing.ts";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import {
  AgentToServerSchema,
  PackageStatusEnum,
  PackageType,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../../../../src/opamp/messages.ts";
import type { PackagesSettings } from "../../../../src/server/settings/server-settings.ts";
import {
  fetchBytes,
  fetchJson,
  type RawAgentOptions,
  RawHttpAgent,
  RawWebSocketAgent,
  type Report,
  usualCapabilities,
} from "../../../support/raw-agent.ts";
import { startTestServer } from "../test-server.ts";
import { type Files, type PackageServer, startPackageServer } from "./package-folder.ts";

const able = usualCapabilities | AgentCapability.AcceptsPackages | AgentCapability.ReportsPackageStatuses;

const files = {
  "collector/1/otelcol": "one",
  "collector/2/otelcol": "two",
  "rules/1/rules.zip": "rules",
  "rules/1/rules.zip.sig": "signature of rules",
};
const sha256 = (text: string) => new Uint8Array(createHash("sha256").update(text).digest());

async function joinFleet(online: PackageServer, options: RawAgentOptions = {}, report: Report = {}) {
  const { agent, answer } = await RawWebSocketAgent.join(
    online.server.opampUrl,
    { capabilities: able, ...options },
    { packageStatuses: {}, ...report },
  );
  onTestFinished(() => agent.socket.terminate());
  return { agent, answer, id: formatInstanceUid(agent.speaker.uid) };
}

const offer = (online: PackageServer, packages: Record<string, string>, selector?: string) =>
  online.post("/api/v1/packages/offer", { packages, ...(selector === undefined ? {} : { selector }) });

const offered = (message: ServerToAgent) =>
  message.packagesAvailable &&
  Object.fromEntries(
    Object.entries(message.packagesAvailable.packages).map(([name, { version }]) => [name, version]),
  );

/** What an Agent reports that took up an offer. */
function statusesOf(
  { packagesAvailable }: ServerToAgent,
  status: PackageStatusEnum,
  errorMessage = "",
): Report {
  const packages = Object.entries(packagesAvailable!.packages).map(([name, { version, hash }]) => [
    name,
    { name, serverOfferedVersion: version, serverOfferedHash: hash, status, errorMessage },
  ]);
  return {
    packageStatuses: {
      packages: Object.fromEntries(packages),
      serverProvidedAllPackagesHash: packagesAvailable!.allPackagesHash,
    },
  };
}

const { PackageStatusEnum_InstallFailed: FAILED, PackageStatusEnum_Installed: INSTALLED } = PackageStatusEnum;

describe("an offer of packages", () => {
  it("has all that an Agent needs to download and check each (SP2, SP3, SP5)", async () => {
    const online = await startPackageServer(files, { headers: { "X-Token": ["a", "b"] } });
    const { agent, answer } = await joinFleet(online);
    expect(answer.capabilities & ServerCapability.OffersPackages).toBe(ServerCapability.OffersPackages);
    expect(answer.packagesAvailable).toBeUndefined();
    await offer(online, { collector: "2", rules: "1" });
    const { instanceUid, packagesAvailable, remoteConfig } = await agent.receive();
    expect([instanceUid, remoteConfig]).toEqual([agent.speaker.uid, undefined]);
    expect(packagesAvailable!.allPackagesHash).toHaveLength(32);
    const { collector, rules, ...others } = packagesAvailable!.packages;
    expect(others).toEqual({});
    const { origin } = online.download("/");
    expect(collector).toMatchObject({
      type: PackageType.PackageType_TopLevel,
      version: "2",
      file: {
        downloadUrl: `${origin}/v1/packages/collector/2/otelcol`,
        contentHash: sha256("two"),
        signature: new Uint8Array(),
      },
    });
    expect(rules).toMatchObject({
      type: PackageType.PackageType_Addon,
      version: "1",
      file: { contentHash: sha256("rules"), signature: new Uint8Array(Buffer.from("signature of rules")) },
    });
    for (const each of [collector, rules]) {
      expect(each!.hash).toHaveLength(32);
      expect(each!.file!.headers!.headers).toMatchObject([
        { key: "X-Token", value: "a" },
        { key: "X-Token", value: "b" },
      ]);
    }
  });

  it("hashes type, version, file and signature, and not where it is downloaded (SP3)", async () => {
    const hashOf = async (more: Files, version = "1", settings: Partial<PackagesSettings> = {}) => {
      const online = await startPackageServer({ "p/1/f": "x", "p/2/f": "x", ...more }, settings);
      return (await offer(online, { p: version })).json.packages_hash;
    };
    const plain = await hashOf({});
    expect(plain).toMatch(/^[0-9a-f]{64}$/);
    const elsewhere = { url: "https://cdn.example.com", headers: { a: ["b"] } };
    expect(await hashOf({ "q/1/f": "y" }, "1", elsewhere)).toBe(plain);
    const others = [
      await hashOf({ "p/1/f": "y" }),
      await hashOf({ "p/package.yaml": "type: top-level\n" }),
      await hashOf({ "p/1/f.sig": "s" }),
      await hashOf({}, "2"),
    ];
    expect(new Set([plain, ...others]).size).toBe(5);
  });

  it("points at packages.url when there is one, and at nothing when an Agent names no host", async () => {
    const cdn = await startPackageServer(files, { url: "https://cdn.example.com/otel/" });
    const { agent } = await joinFleet(cdn);
    await offer(cdn, { collector: "1" });
    expect((await agent.receive()).packagesAvailable!.packages.collector!.file!.downloadUrl).toBe(
      "https://cdn.example.com/otel/collector/1/otelcol",
    );
    const direct = await startPackageServer(files);
    await offer(direct, { collector: "1" });
    const odd = new RawHttpAgent(direct.server.opampUrl, { capabilities: able });
    const report = odd.speaker.next(odd.speaker.full({ packageStatuses: {} }));
    const { body } = await fetchBytes(direct.download("/v1/opamp"), {
      method: "POST",
      headers: { host: "a/b", "content-type": "application/x-protobuf" },
      body: toBinary(AgentToServerSchema, report),
    });
    expect(decodeBody(ServerToAgentSchema, new Uint8Array(body)).packagesAvailable).toBeUndefined();
    expect(direct.log.of("offer_impossible")).toMatchObject([
      { agent_id: formatInstanceUid(odd.speaker.uid), reason: expect.stringContaining("packages.url") },
    ]);
  });

  it("goes to those of the selector that accept packages, and says who gets none (SP1)", async () => {
    const online = await startPackageServer(files);
    const prod = await joinFleet(online, { attributes: { env: "prod" } });
    const deaf = await joinFleet(online, { attributes: { env: "prod" }, capabilities: usualCapabilities });
    const dev = await joinFleet(online, { attributes: { env: "dev" } });
    const { status, json } = await offer(online, { collector: "1" }, "env=prod");
    expect(status).toBe(200);
    expect(json).toEqual({
      rollout: expect.any(String),
      strategy: "immediate",
      packages_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      packages: { collector: "1" },
      selector: "env=prod",
      matched: 2,
      offered: 1,
      pending: [],
      skipped: [{ id: deaf.id, reason: "does not accept packages" }],
    });
    expect(offered(await prod.agent.receive())).toEqual({ collector: "1" });
    expect((await dev.agent.exchange({})).packagesAvailable).toBeUndefined();
    expect((await deaf.agent.exchange({})).packagesAvailable).toBeUndefined();
    const nowAble = await deaf.agent.exchange({ capabilities: able });
    expect(offered(nowAble)).toEqual({ collector: "1" });
  });

  it("is the whole set: what it does not name is no longer offered (SP6)", async () => {
    const online = await startPackageServer(files);
    const { agent } = await joinFleet(online);
    await offer(online, { collector: "1", rules: "1" });
    expect(offered(await agent.receive())).toEqual({ collector: "1", rules: "1" });
    await offer(online, { collector: "2" });
    expect(offered(await agent.receive())).toEqual({ collector: "2" });
    await offer(online, {});
    const none = await agent.receive();
    expect(offered(none)).toEqual({});
    expect(none.packagesAvailable!.allPackagesHash).toHaveLength(32);
  });

  it("waits for Agents that come later, and for the next poll", async () => {
    const online = await startPackageServer(files);
    await offer(online, { collector: "1" });
    expect(offered((await joinFleet(online)).answer)).toEqual({ collector: "1" });
    const polling = new RawHttpAgent(online.server.opampUrl, { capabilities: able });
    const first = await polling.exchange(polling.speaker.full({ packageStatuses: {} }));
    expect(offered(first)).toEqual({ collector: "1" });
    const { json } = await offer(online, { collector: "2" });
    expect(json).toMatchObject({
      matched: 2,
      offered: 1,
      pending: [{ reason: expect.stringContaining("polls") }],
    });
    expect(offered(await polling.exchange({}))).toEqual({ collector: "2" });
    expect((await polling.exchange({})).packagesAvailable).toBeUndefined();
  });

  it("does not travel with a configuration that was pushed by itself: a bad one would take the other with it", async () => {
    const online = await startPackageServer(files);
    await offer(online, { collector: "1" });
    await fetchJson(online.api("/api/v1/config"), { method: "POST", body: "receivers:\n  otlp:\n" });
    const polling = new RawHttpAgent(online.server.opampUrl, { capabilities: able });
    const first = await polling.exchange(polling.speaker.full({ packageStatuses: {} }));
    expect([first.remoteConfig !== undefined, offered(first)]).toEqual([true, undefined]);
    const next = await polling.exchange({});
    expect([next.remoteConfig !== undefined, offered(next)]).toEqual([false, { collector: "1" }]);
  });

  it("is made on connect only to an Agent that names another one (SP4)", async () => {
    const online = await startPackageServer(files);
    const { agent } = await joinFleet(online);
    await offer(online, { collector: "1" });
    const message = await agent.receive();
    const installed = statusesOf(message, INSTALLED);
    expect((await agent.exchange(installed)).packagesAvailable).toBeUndefined();
    await agent.close();
    await online.log.seen("agent_disconnected");
    const same = await joinFleet(online, { uid: agent.speaker.uid }, installed);
    expect(same.answer.packagesAvailable).toBeUndefined();
    await same.agent.close();
    const other = await joinFleet(
      online,
      {},
      { packageStatuses: { serverProvidedAllPackagesHash: sha256("x") } },
    );
    expect(offered(other.answer)).toEqual({ collector: "1" });
  });

  it.each([
    ["this offer", (message: ServerToAgent) => message.packagesAvailable!.allPackagesHash],
    ["an older offer, as one that rolled back does", () => sha256("older")],
    ["none", () => new Uint8Array()],
  ])("is not made again to an Agent that failed and names %s", async (_, named) => {
    const online = await startPackageServer(files);
    const { agent } = await joinFleet(online);
    await offer(online, { collector: "1" });
    const message = await agent.receive();
    const failed = statusesOf(message, FAILED, "no space");
    const report = {
      packageStatuses: { ...failed.packageStatuses, serverProvidedAllPackagesHash: named(message) },
    };
    expect((await agent.exchange(report)).packagesAvailable).toBeUndefined();
    online.clock.advance(60_000);
    expect((await agent.exchange(report)).packagesAvailable).toBeUndefined();
    // Nor when the failure is no longer told of.
    const forgot = { packageStatuses: { serverProvidedAllPackagesHash: named(message) } };
    expect((await agent.exchange(forgot)).packagesAvailable).toBeUndefined();
    await agent.close();
    await online.log.seen("agent_disconnected");
    const back = await joinFleet(online, { uid: agent.speaker.uid }, forgot);
    expect(back.answer.packagesAvailable).toBeUndefined();
    expect(online.log.of("package_status")).toMatchObject([
      { package: "collector", status: "INSTALL_FAILED", offered_version: "1", error: "no space" },
    ]);
  });

  it("counts as refused when the whole of it failed", async () => {
    const online = await startPackageServer(files);
    const { agent } = await joinFleet(online);
    await offer(online, { collector: "1" });
    const { allPackagesHash } = (await agent.receive()).packagesAvailable!;
    const whole = { serverProvidedAllPackagesHash: allPackagesHash, errorMessage: "no room for packages" };
    await agent.exchange({ packageStatuses: whole });
    online.clock.advance(60_000);
    expect((await agent.exchange({ packageStatuses: {} })).packagesAvailable).toBeUndefined();
    // A failure of an older offer says nothing of this one.
    await offer(online, { collector: "2" });
    await agent.receive();
    await agent.exchange({ packageStatuses: whole });
    online.clock.advance(60_000);
    expect(offered(await agent.exchange({ packageStatuses: {} }))).toEqual({ collector: "2" });
  });

  it("is made in spite of a failure of an older one", async () => {
    const online = await startPackageServer(files);
    const { agent } = await joinFleet(online);
    await offer(online, { collector: "1" });
    const failed = statusesOf(await agent.receive(), FAILED, "no space");
    await offer(online, { collector: "2" });
    await agent.receive();
    await agent.exchange(failed);
    online.clock.advance(60_000);
    expect(offered(await agent.exchange(failed))).toEqual({ collector: "2" });
  });

  it("is not made once its file is gone or another, however it was named", async () => {
    const online = await startPackageServer(files);
    await offer(online, { collector: "1" });
    await writeFile(join(online.directory, "collector/1/otelcol"), "replaced");
    await online.post("/api/v1/packages/rescan");
    expect((await joinFleet(online)).answer.packagesAvailable).toBeUndefined();
    const { json } = await offer(online, { collector: "1" });
    expect(json).toMatchObject({ matched: 1, offered: 1 });
    const { answer } = await joinFleet(online);
    expect(answer.packagesAvailable!.packages.collector!.file!.contentHash).toEqual(sha256("replaced"));
    await rm(join(online.directory, "collector"), { recursive: true });
    await online.post("/api/v1/packages/rescan");
    expect((await joinFleet(online)).answer.packagesAvailable).toBeUndefined();
  });

  it("travels with the configuration in one message, pushed or polled for", async () => {
    const online = await startPackageServer(files);
    const { agent } = await joinFleet(online);
    const deaf = await joinFleet(online, { capabilities: usualCapabilities });
    const polling = new RawHttpAgent(online.server.opampUrl, { capabilities: able });
    await polling.exchange(polling.speaker.full({ packageStatuses: {} }));
    const push = (packages: string) =>
      fetchJson(online.api(`/api/v1/config?packages=${encodeURIComponent(packages)}`), {
        method: "POST",
        body: "receivers:\n  otlp:\n",
      });
    const { json } = await push("collector:2, rules:1");
    const pending = [
      { id: formatInstanceUid(polling.speaker.uid), reason: expect.stringContaining("polls") },
    ];
    expect(json).toEqual({
      rollout: expect.any(String),
      strategy: "immediate",
      config_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      selector: "",
      matched: 3,
      offered: 2,
      pending,
      skipped: [],
      packages_offer: {
        packages_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
        packages: { collector: "2", rules: "1" },
        offered: 1,
        pending,
        skipped: [{ id: deaf.id, reason: "does not accept packages" }],
      },
    });
    for (const message of [await agent.receive(), await polling.exchange({})]) {
      expect(message.remoteConfig).toBeDefined();
      expect(offered(message)).toEqual({ collector: "2", rules: "1" });
    }
    const alone = await deaf.agent.receive();
    expect([alone.remoteConfig === undefined, alone.packagesAvailable]).toEqual([false, undefined]);
    expect(agent.unread).toBe(0);
    // Nothing is done when either is wrong.
    expect((await push("collector:3")).status).toBe(400);
    expect((await push("collector")).status).toBe(400);
    expect((await push("")).status).toBe(400);
    expect((await push("collector:1,collector:2")).status).toBe(400);
    expect((await agent.exchange({})).remoteConfig).toBeUndefined();
  });
});

describe("a server without a packages folder", () => {
  it("does not say that it offers packages, and says how it could", async () => {
    const { server, api } = await startTestServer();
    const { agent, answer } = await RawWebSocketAgent.join(server.opampUrl, { capabilities: able });
    onTestFinished(() => agent.socket.terminate());
    expect(answer.capabilities & ServerCapability.OffersPackages).toBe(0n);
    const options = { method: "POST", body: '{"packages":{}}' };
    for (const { status, json } of [
      await fetchJson(api("/api/v1/packages")),
      await fetchJson(api("/api/v1/packages/offer"), options),
      await fetchJson(api("/api/v1/packages/rescan"), { method: "POST" }),
      await fetchJson(api("/api/v1/config?packages=a:1"), { method: "POST", body: "a: 1\n" }),
    ]) {
      expect([status, json.detail]).toEqual([409, expect.stringContaining("packages.directory")]);
    }
  });
});
