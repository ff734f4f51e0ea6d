import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../../src/foundation/clock.ts";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import { ServerToAgentFlag } from "../../../../src/opamp/bits.ts";
import type { CustomMessage } from "../../../../src/opamp/messages.ts";
import {
  type CollectorReport,
  type LinkIdentity,
  LocalLink,
  type LocalLinkOptions,
} from "../../../../src/supervisor/collector/local-link.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { exchange, uidOf, WireAgent } from "../../../support/opamp-wire.ts";

const token = "s3cret-token";
const instanceUid = uidOf(1);
const cleanUps: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

type Told =
  | { t: "link" | "unlink"; link: LinkIdentity; reason?: string }
  | { t: "report"; link: LinkIdentity; changed: CollectorReport }
  | { t: "custom"; message: CustomMessage };

async function start(options: Partial<LocalLinkOptions> = {}) {
  const told: Told[] = [];
  const local = new LocalLink(
    { port: 0, token, logger: silentLogger, clock: systemClock, ...options },
    {
      onLink: (link) => told.push({ t: "link", link }),
      onUnlink: (link, reason) => told.push({ t: "unlink", link, reason }),
      onReport: (link, changed) => told.push({ t: "report", link, changed }),
      onCustomMessage: (_link, message) => told.push({ t: "custom", message }),
    },
  );
  const port = await local.listen();
  cleanUps.push(() => local.close());
  /** Dials as the extension does. */
  const dial = async (mark?: string) => {
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (mark !== undefined) headers["X-OpAMP-Supervisor-Change"] = mark;
    const agent = await WireAgent.open(port, { headers });
    cleanUps.push(() => agent.end());
    return agent;
  };
  const kinds = () => told.map((event) => event.t);
  return { local, port, told, kinds, dial };
}

const full = { agentDescription: {}, health: { healthy: true }, effectiveConfig: {} };

describe("who may link", () => {
  it.each([
    ["no token", undefined],
    ["another token", "Bearer s3cret-tokeN"],
    ["a longer token", `Bearer ${token}x`],
    ["the bare token", token],
  ])("refuses %s with 401", async (_name, authorization) => {
    const { port, told } = await start();
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization };
    await expect(WireAgent.open(port, { headers })).rejects.toThrow("status 401");
    expect(told).toEqual([]);
  });

  it("accepts the token and tells the mark of the handshake", async () => {
    const { dial, told, local } = await start();
    await dial("change-7");
    expect(told).toMatchObject([{ t: "link", link: { mark: "change-7" } }]);
    expect(local.current).toMatchObject({ link: { mark: "change-7" }, report: { mark: "change-7" } });
  });

  it("the mark is empty when there was none", async () => {
    const { dial, told } = await start();
    await dial();
    expect(told).toMatchObject([{ t: "link", link: { mark: "" } }]);
  });

  it("strangers neither block nor replace the Collector's link", async () => {
    const { port, dial, kinds, local } = await start();
    const idle = connect(port, "127.0.0.1");
    cleanUps.push(async () => void idle.destroy());
    for (const path of ["/", "/v1/opamp"]) {
      const response = await exchange(port, undefined, { method: "GET", path });
      expect(response.status).toBe(426);
      expect(response.body.toString()).toContain("by WebSocket");
    }
    expect(
      (await exchange(port, new Uint8Array(4), { headers: { authorization: `Bearer ${token}` } })).status,
    ).toBe(426);
    const collector = await dial("a");
    await expect(WireAgent.open(port)).rejects.toThrow("status 401");
    expect((await exchange(port, undefined, { method: "GET" })).status).toBe(426);
    expect((await collector.ask({ instanceUid, ...full })).errorResponse).toBeUndefined();
    expect(kinds()).toEqual(["link", "report"]);
    expect(local.current?.link.mark).toBe("a");
  });

  it("names the port and the setting when the port is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    cleanUps.push(() => new Promise((resolve) => void taken.close(() => resolve())));
    const { port } = taken.address() as AddressInfo;
    const handlers = { onLink() {}, onReport() {}, onCustomMessage() {}, onUnlink() {} };
    const local = new LocalLink({ port, token, logger: silentLogger, clock: systemClock }, handlers);
    await expect(local.listen()).rejects.toThrow(`port ${port} on 127.0.0.1`);
    await expect(local.listen()).rejects.toThrow("agent.opamp_server_port");
  });

  it("listens on loopback only", async () => {
    const { port } = await start();
    const elsewhere = connect(port, "127.0.0.2");
    const outcome = await new Promise((resolve) => {
      elsewhere.on("error", (error: NodeJS.ErrnoException) => resolve(error.code));
      elsewhere.on("connect", () => resolve("connected"));
    });
    elsewhere.destroy();
    expect(outcome).toBe("ECONNREFUSED");
  });
});

describe("the newest link", () => {
  it("replaces an older one, closes it, and no longer listens to it", async () => {
    const { dial, told, local } = await start();
    const old = await dial("a");
    await old.ask({ instanceUid, ...full });
    old.socket.pause();
    const young = await dial("b");
    old.send({ instanceUid, sequenceNum: 1n, health: { healthy: false } });
    await young.ask({ instanceUid, ...full });
    old.socket.resume();
    expect((await old.closed).reason).toContain("newer link");
    await young.ask({ instanceUid, sequenceNum: 1n });
    expect(told.map((event) => [event.t, "link" in event ? event.link.mark : ""])).toEqual([
      ["link", "a"],
      ["report", "a"],
      ["unlink", "a"],
      ["link", "b"],
      ["report", "b"],
    ]);
    expect(local.current?.report.health?.healthy).toBe(true);
    const ids = told.flatMap((event) => (event.t === "link" ? [event.link.id] : []));
    expect(ids[1]).toBeGreaterThan(ids[0]!);
  });

  it("begins with nothing: what an older link reported is not carried over", async () => {
    const { dial, local } = await start();
    await (await dial("a")).ask({ instanceUid, ...full });
    await dial("b");
    expect(local.current?.report).toEqual({ mark: "b" });
  });

  it("answers the close frame at once and tells the end", async () => {
    const { dial, told, local } = await start();
    const collector = await dial("a");
    collector.socket.close(1000, "reload");
    expect((await collector.closed).code).toBe(1000);
    await expect
      .poll(() => told.at(-1))
      .toMatchObject({ t: "unlink", link: { mark: "a" }, reason: "reload" });
    expect(local.current).toBeUndefined();
  });
});

describe("reports", () => {
  it("tells only what changed, with the mark of its link", async () => {
    const { dial, told } = await start();
    const collector = await dial("a");
    await collector.ask({ instanceUid, ...full });
    await collector.ask({ instanceUid, sequenceNum: 1n, health: { healthy: true } });
    await collector.ask({ instanceUid, sequenceNum: 2n, health: { healthy: false, lastError: "x" } });
    const reports = told.flatMap((event) => (event.t === "report" ? [event.changed] : []));
    expect(reports.map((report) => Object.keys(report).sort())).toEqual([
      ["description", "effectiveConfig", "health", "mark"],
      ["health", "mark"],
    ]);
    expect(reports[1]).toMatchObject({ mark: "a", health: { lastError: "x" } });
  });

  it("asks for everything when a link's first message lacks health or configuration, and only then", async () => {
    const { dial } = await start();
    const collector = await dial("a");
    const first = await collector.ask({ instanceUid, sequenceNum: 9n });
    const second = await collector.ask({ instanceUid, sequenceNum: 10n, ...full });
    const third = await collector.ask({ instanceUid, sequenceNum: 11n });
    expect([first.flags, second.flags, third.flags]).toEqual([ServerToAgentFlag.ReportFullState, 0n, 0n]);
  });

  it("asks also when a first report lacks only the configuration", async () => {
    const { dial } = await start();
    const { flags } = await (await dial("a")).ask({ instanceUid, agentDescription: {}, health: {} });
    expect(flags).toBe(ServerToAgentFlag.ReportFullState);
  });

  it("SS6: asks for the components when only their hash came", async () => {
    const { dial, local } = await start();
    const collector = await dial("a");
    const hash = Uint8Array.of(1);
    const answer = await collector.ask({ instanceUid, ...full, availableComponents: { hash } });
    expect(answer.flags).toBe(ServerToAgentFlag.ReportAvailableComponents);
    await collector.ask({
      instanceUid,
      sequenceNum: 1n,
      availableComponents: { hash, components: { receivers: {} } },
    });
    expect(Object.keys(local.current?.report.availableComponents?.components ?? {})).toEqual(["receivers"]);
  });

  it("requestFullState asks the linked extension; without a link it does nothing", async () => {
    const { local, dial } = await start();
    local.requestFullState();
    const collector = await dial("a");
    await collector.ask({ instanceUid, ...full });
    local.requestFullState();
    const asked = await collector.next();
    expect(asked.flags).toBe(ServerToAgentFlag.ReportFullState);
    expect(asked.instanceUid).toEqual(instanceUid);
  });
});

describe("custom messages", () => {
  it("pass in order from the Collector, and to it when it announced the capability", async () => {
    const { local, dial, told } = await start();
    const message = { capability: "org.example.a", type: "t", data: Uint8Array.of(1) };
    expect(local.sendCustomMessage(message)).toBe(false);
    const collector = await dial("a");
    expect(local.sendCustomMessage(message)).toBe(false);
    await collector.ask({
      instanceUid,
      ...full,
      customCapabilities: { capabilities: ["org.example.a"] },
      customMessage: { capability: "org.example.a", type: "hello" },
    });
    expect(told.at(-1)).toMatchObject({ t: "custom", message: { type: "hello" } });
    expect(local.sendCustomMessage(message)).toBe(true);
    expect(local.sendCustomMessage({ ...message, capability: "org.example.b" })).toBe(false);
    expect((await collector.next()).customMessage?.data).toEqual(Uint8Array.of(1));
  });
});

describe("watchLiveness", () => {
  it("tells a link that does not answer pings, and not one that does", async () => {
    const clock = new ManualClock();
    const { local, dial } = await start({ clock });
    const dead: LinkIdentity[] = [];
    const stop = local.watchLiveness({ intervalMs: 1000, timeoutMs: 300 }, (link) => dead.push(link));
    clock.advance(1000);
    const collector = await dial("a");
    const pinged = new Promise((resolve) => collector.socket.once("ping", resolve));
    clock.advance(1000);
    await pinged;
    await collector.ask({ instanceUid, ...full });
    clock.advance(999);
    expect(dead).toEqual([]);
    collector.socket.pause();
    clock.advance(1);
    clock.advance(300);
    expect(dead).toMatchObject([{ mark: "a" }]);
    stop();
    clock.advance(10_000);
    expect(dead).toHaveLength(1);
  });

  it("a link that closes while a ping is out is not dead", async () => {
    const clock = new ManualClock();
    const { local, dial, kinds } = await start({ clock });
    const dead: LinkIdentity[] = [];
    local.watchLiveness({ intervalMs: 1000, timeoutMs: 300 }, (link) => dead.push(link));
    const collector = await dial("a");
    collector.socket.pause();
    clock.advance(1000);
    collector.socket.terminate();
    await expect.poll(kinds).toEqual(["link", "unlink"]);
    clock.advance(300);
    expect(dead).toEqual([]);
  });

  it("a link that was replaced while a ping is out is not dead", async () => {
    const clock = new ManualClock();
    const { local, dial } = await start({ clock });
    const dead: LinkIdentity[] = [];
    local.watchLiveness({ intervalMs: 1000, timeoutMs: 300 }, (link) => dead.push(link));
    const old = await dial("a");
    old.socket.pause();
    clock.advance(1000);
    await dial("b");
    clock.advance(300);
    expect(dead).toEqual([]);
  });
});

describe("close", () => {
  it("closes the link with a close frame, tells its end and frees the port", async () => {
    const { local, port, dial, kinds } = await start();
    const collector = await dial("a");
    await local.close();
    expect((await collector.closed).code).toBe(1001);
    expect(kinds()).toEqual(["link", "unlink"]);
    await expect(exchange(port, undefined)).rejects.toThrow("ECONNREFUSED");
  });
});
