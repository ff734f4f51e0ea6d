/**
 * How fast a fleet is stored, and for how long that keeps everything else waiting.
 * node bench/store.ts [AGENTS] [postgres://…]: without a URL, SQLite in a folder of its own.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "../src/foundation/clock.ts";
import { silentLogger } from "../src/foundation/logger.ts";
import { newInstanceUid } from "../src/opamp/instance-uid.ts";
import { AgentToServerSchema } from "../src/opamp/messages.ts";
import { ServerEvents } from "../src/server/events.ts";
import type { Connection } from "../src/server/fleet/agent.ts";
import { Fleet } from "../src/server/fleet/fleet.ts";
import { readFleet } from "../src/server/fleet/fleet-reader.ts";
import { FleetWriter } from "../src/server/fleet/fleet-writer.ts";
import { openDatabase } from "../src/server/storage/database.ts";

const [count = "18000", postgresUrl] = process.argv.slice(2);
const agents = Number(count);

/** Of about 20 KB, and of every host another: what cannot be shared. */
function effectiveConfig(index: number): string {
  const receiver = (port: number) =>
    `  otlp/${index}_${port}:\n    protocols:\n      grpc:\n        endpoint: 0.0.0.0:${port}\n`;
  return `receivers:\n${Array.from({ length: 260 }, (_, port) => receiver(10_000 + port + (index % 97))).join("")}`;
}

const connection: Connection = {
  id: 1,
  transport: "websocket",
  context: { by: "nothing", credential: undefined, uid: undefined },
  remoteAddress: "10.0.0.1",
  headers: {},
  send: () => false,
  close: () => undefined,
  ping: () => Promise.reject(new Error("not here")),
};

function report(uid: Uint8Array, index: number, sequenceNum: bigint) {
  const attribute = (key: string, value: string) => ({
    key,
    value: { value: { case: "stringValue" as const, value } },
  });
  return create(AgentToServerSchema, {
    instanceUid: uid,
    sequenceNum,
    capabilities: 0x1fffn,
    agentDescription: {
      identifyingAttributes: [attribute("service.name", "otelcol"), attribute("service.version", "0.150.0")],
      nonIdentifyingAttributes: [attribute("host.name", `host-${index}`), attribute("env", "prod")],
    },
    health: { healthy: true, status: `StatusOK ${sequenceNum}` },
    effectiveConfig: { configMap: { configMap: { "": { body: Buffer.from(effectiveConfig(index)) } } } },
    remoteConfigStatus: { lastRemoteConfigHash: new Uint8Array(32).fill(Number(sequenceNum)), status: 1 },
  });
}

/** Runs `work` and prints how long it took, and the longest time in which nothing else could run. */
async function measured(name: string, work: () => Promise<void>): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  delay.disable();
  const stall = `${(delay.max / 1e6).toFixed(0)} ms longest stall, ${(delay.percentile(99) / 1e6).toFixed(0)} ms P99`;
  console.log(`${name.padEnd(34)} ${seconds.toFixed(2).padStart(7)} s   ${stall}`);
}

const folder = mkdtempSync(join(tmpdir(), "opamp-bench-"));
const directory = postgresUrl === undefined ? folder : undefined;
const database = await openDatabase({ directory, postgresUrl }, { clock: systemClock, log: silentLogger });
try {
  const clock = systemClock;
  const log = silentLogger;
  const writer = new FleetWriter({ database, clock, log, replica: "bench", onWritten: () => undefined });
  const events = new ServerEvents({ clock, run: "bench", kept: 1 });
  const fleet = new Fleet({
    clock,
    log,
    events,
    pollTimeoutMs: 90_000,
    operatorLabels: { get: () => ({}) },
    observer: writer,
  });
  writer.attach(fleet);
  const uids = Array.from({ length: agents }, () => newInstanceUid(Date.now()));
  const hear = (sequence: bigint, change: (message: ReturnType<typeof report>) => void = () => undefined) => {
    for (const [index, uid] of uids.entries()) {
      const message = report(uid, index, sequence);
      change(message);
      fleet.heard(connection, message);
    }
  };
  console.log(`${agents} agents of ${effectiveConfig(1).length} bytes each, ${database.kind}`);
  hear(0n);
  await measured("all are new", () => writer.flush());
  hear(1n);
  await measured("all answer (no new configuration)", () => writer.flush());
  for (const uid of uids) {
    fleet.heard(
      connection,
      create(AgentToServerSchema, { instanceUid: uid, sequenceNum: 2n, capabilities: 0x1fffn }),
    );
  }
  await measured("one heartbeat of all", () => writer.flush());
  await measured("read again, as after a restart", async () => {
    await readFleet(database.query, () => true);
  });
  if (directory !== undefined) {
    const bytes = statSync(join(directory, "opamp-server.db")).size;
    console.log(`${(bytes / 1e6).toFixed(0)} MB on disk`);
  }
  await writer.close();
} finally {
  await database.close();
  rmSync(folder, { recursive: true, force: true });
}
