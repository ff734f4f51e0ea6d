import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { ConnectionSettingsOffersSchema } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, isOnProbation, lastStatusOf, named, theOneCollector } from "../../support/fault-host.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

/** What a power cut, a bad disk or a wrong hand can make of a file. */
const damages: Record<string, (path: string) => void> = {
  empty: (path) => truncateSync(path),
  truncated: (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
  garbage: (path) => writeFileSync(path, Buffer.from("\u0000\u00ff{]\n\tzzz: [\u0007", "latin1")),
  foreign: (path) => writeFileSync(path, path.endsWith(".yaml") ? "- 1\n- two\n" : '{"version": 7, "items": []}\n'),
};

/** In the state directory; the snapshots of what runs and of the way back by the role they have. */
const files = [
  "persistent_state.yaml",
  "last_recv_remote_config.dat",
  "last_recv_own_telemetry_config.dat",
  "configuration_book.json",
  "journal.json",
  "collector.json",
  "local_link.json",
  "crashes.json",
  "binary.json",
  "effective.yaml",
  "configurations/CURRENT.yaml",
  "configurations/CURRENT.json",
  "configurations/WAYBACK.yaml",
  "configurations/WAYBACK.json",
];

const cases = files.flatMap((file) => Object.keys(damages).map((damage) => ({ file, damage })));

interface Book {
  current: { id: string };
  wayBack: { id: string }[];
}

function pathOf(host: SupervisorHost, file: string): string {
  const book = JSON.parse(readFileSync(join(host.stateDir, "configuration_book.json"), "utf8")) as Book;
  const name = file.replace("CURRENT", book.current.id).replace("WAYBACK", book.wayBack[0]?.id ?? "");
  return join(host.stateDir, name);
}

/** A host with every state file there is, whose Collector goes on while the supervisor is dead. */
async function wellKept(): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent: { probation: "1ms" }, capabilities: { reports_own_logs: true } });
  const supervisor = await host.startHealthy();
  await host.apply(named(host, "older"));
  await host.apply(named(host, "current"));
  const logs = { destinationEndpoint: `${host.sink.endpoint}/v1/logs` };
  const offers = create(ConnectionSettingsOffersSchema, { hash: new Uint8Array([1]), ownLogs: logs });
  host.server.push({ connectionSettings: offers });
  await supervisor.waitFor(({ event, trigger }) => event === "config_updated" && trigger === "own telemetry");
  process.kill(host.collectorPid(), "SIGKILL");
  await host.server.until("restarted", () => host.server.state?.health?.healthy);
  await eventually("a crash is on file", () => readdirSync(host.stateDir).includes("crashes.json"));
  await eventually("the probation is over", async () => !(await isOnProbation(host)));
  await supervisor.kill("SIGKILL");
  return host;
}

describe.each(files)("%s", (file) => {
  it.each(Object.keys(damages))("%s: the Collector runs on, and the status is true", async (damage) => {
    const host = await wellKept();
    const path = pathOf(host, file);
    damages[damage]?.(path);
    const from = host.server.mark;
    const supervisor = await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "current");
    const { status } = await host.server.reported("remoteConfigStatus", () => true, from);
    expect([0, 1]).toContain(status);
    expect(await supervisor.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});
void [cpSync, rmSync, beforeAll, makeTempDir, cases, lastStatusOf, theOneCollector];
