import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ConnectionSettingsOffersSchema, RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, isOnProbation, killCollectors, named } from "../../support/fault-host.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const {
  RemoteConfigStatuses_UNSET: unset,
  RemoteConfigStatuses_APPLYING: applying,
  RemoteConfigStatuses_APPLIED: applied,
} = RemoteConfigStatuses;

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

/** Those that cannot be made again from anything else, and are set aside when they are damaged. */
const records = files.filter((file) => !/^(?:binary\.json|effective\.yaml|configurations\/.*)$/.test(file));

/** What these say does not matter once nothing runs. */
const onlyForTheLiving = ["collector.json", "binary.json", "crashes.json", "journal.json"];

/** Of "current" nothing but APPLIED may be said in the end, or nothing at all. */
async function expectTrueStatuses(host: SupervisorHost, from: number): Promise<void> {
  const said = await host.server.until("a verdict, or none", () => {
    const all = host.server.received.slice(from).flatMap(({ message }) => message.remoteConfigStatus ?? []);
    return all.at(-1)?.status !== applying && all;
  });
  for (const { status, lastRemoteConfigHash } of said) {
    expect([unset, applying, applied]).toContain(status);
    if (status !== unset) expect(lastRemoteConfigHash).toEqual(named(host, "current").configHash);
  }
  expect([unset, applied]).toContain(said.at(-1)?.status);
}

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
  await eventually("the probation is over", async () => !(await isOnProbation(host)));
  await supervisor.kill("SIGKILL");
  // As after crashes that are long past: a real one would have the next restart wait.
  writeFileSync(join(host.stateDir, "crashes.json"), '{"exits":[],"attempt":0}\n');
  return host;
}

describe.each(files)("%s", (file) => {
  it.each(Object.keys(damages))("%s: the Collector runs on, is restarted when it dies, and the status is true", async (damage) => {
    const host = await wellKept();
    damages[damage]?.(pathOf(host, file));
    const from = host.server.mark;
    const supervisor = await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "current");
    await expectTrueStatuses(host, from);
    if (records.includes(file)) {
      const names = readdirSync(host.stateDir);
      expect(names.filter((name) => name.startsWith(`${file}.corrupt-`))).toHaveLength(1);
      expect(supervisor.lines.filter(({ event }) => event === "state_corrupt")).toMatchObject([{ file }]);
    }
    // Now what lies on the disk is needed.
    const pid = host.collectorPid();
    process.kill(pid, "SIGKILL");
    await eventually("another one runs", () => host.collectorPid() !== pid);
    await expectRuns(host, "current");
    await expectTrueStatuses(host, from);
    expect(await supervisor.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});

describe.each(files.filter((file) => !onlyForTheLiving.includes(file)))("%s, after a power cut", (file) => {
  it.each(Object.keys(damages))("%s: the Collector is started on the same configuration", async (damage) => {
    const host = await wellKept();
    damages[damage]?.(pathOf(host, file));
    await killCollectors(host);
    const from = host.server.mark;
    const supervisor = await host.start();
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await expectRuns(host, "current");
    await expectTrueStatuses(host, from);
    expect(await supervisor.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  });
});
