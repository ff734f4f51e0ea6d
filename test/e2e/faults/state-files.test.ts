import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { ConnectionSettingsOffersSchema, RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { eventually } from "../../support/eventually.ts";
import { expectRuns, isOnProbation, killCollectors, named, portTaken } from "../../support/fault-host.ts";
import { effectiveText } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

/** What a power cut, a bad disk or a wrong hand can make of a file. */
const damages: Record<string, (path: string) => void> = {
  empty: (path) => truncateSync(path),
  truncated: (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)),
  garbage: (path) => writeFileSync(path, Buffer.from("\u0000\u00ff{]\n\tzzz: [\u0007", "latin1")),
  foreign: (path) =>
    writeFileSync(path, path.endsWith(".yaml") ? "- 1\n- two\n" : '{"version": 7, "items": []}\n'),
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

/** What matters, and otherwise, while the Collector lives. */
const filesOfTheLiving = [
  "persistent_state.yaml",
  "configuration_book.json",
  "journal.json",
  "collector.json",
  "local_link.json",
  "effective.yaml",
];

/** Of "current" nothing but APPLIED may be said in the end, or nothing at all. */
const truth = /^(?:(?:UNSET|APPLYING|APPLIED) )*(?:UNSET|APPLIED) $|^$/;

/** The statuses, of which all but UNSET must be of "current". */
async function saidOfCurrent(host: SupervisorHost, from: number): Promise<string> {
  const { configHash } = named(host, "current");
  const said = await host.server.until("a verdict, or none", () => {
    const all = host.server.received.slice(from).flatMap(({ message }) => message.remoteConfigStatus ?? []);
    return all.at(-1)?.status !== RemoteConfigStatuses.RemoteConfigStatuses_APPLYING && all;
  });
  return said
    .map(({ status, lastRemoteConfigHash }) => {
      const known = Buffer.compare(lastRemoteConfigHash, configHash) === 0 || status === 0;
      return `${known ? RemoteConfigStatuses[status].replace("RemoteConfigStatuses_", "") : "of another one"} `;
    })
    .join("");
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
  const host = await supervisorHost({
    agent: { probation: "1ms" },
    capabilities: { reports_own_logs: true },
  });
  const supervisor = await host.startHealthy();
  const logs = { destinationEndpoint: `${host.sink.endpoint}/v1/logs` };
  const offers = create(ConnectionSettingsOffersSchema, { hash: new Uint8Array([1]), ownLogs: logs });
  host.server.push({ connectionSettings: offers });
  await supervisor.waitFor(({ event, trigger }) => event === "config_updated" && trigger === "own telemetry");
  await host.apply(named(host, "older"));
  await host.apply(named(host, "current"));
  await eventually("the probation is over", async () => !(await isOnProbation(host)));
  await supervisor.kill("SIGKILL");
  // As after crashes that are long past: a real one would have the next restart wait.
  writeFileSync(join(host.stateDir, "crashes.json"), '{"exits":[],"attempt":0}\n');
  return host;
}

describe.each(filesOfTheLiving)("%s, while the Collector runs on", (file) => {
  it.each(Object.keys(damages))(
    "%s: it is left alone or replaced, never doubled, and restarted when it dies",
    async (damage) => {
      const host = await wellKept();
      damages[damage]?.(pathOf(host, file));
      const from = host.server.mark;
      await host.start();
      await host.server.reported("health", ({ healthy }) => healthy, from);
      await expectRuns(host, "current");
      // Now what lies on the disk is needed.
      const pid = host.collectorPid();
      process.kill(pid, "SIGKILL");
      await eventually("another one runs", () => host.collectorPid() !== pid);
      await expectRuns(host, "current");
      expect(await saidOfCurrent(host, from)).toMatch(truth);
    },
  );
});

/** Copies of what runs and of what it was made from, and what can become of each. */
const lost = [
  ["configurations/CURRENT.yaml"],
  ["configurations/CURRENT.json"],
  ["configurations/CURRENT.yaml", "configurations/CURRENT.json"],
  ["configurations/CURRENT.yaml", "configurations/CURRENT.json", "last_recv_remote_config.dat"],
].flatMap((files) =>
  Object.entries({
    emptied: (path: string) => truncateSync(path),
    deleted: (path: string) => rmSync(path),
  }).map(([how, lose]) => ({ what: files.join(" and "), how, files, lose })),
);

describe("while the Collector runs on", () => {
  it.each(lost)("$what $how: it is left alone, and can still be changed", async ({ files, lose }) => {
    const host = await wellKept();
    const pid = host.collectorPid();
    for (const path of files.map((file) => pathOf(host, file))) lose(path);
    const from = host.server.mark;
    const supervisor = await host.start();
    await supervisor.waitFor("started");
    await expectRuns(host, "current");
    const isLost = files.length === lost.at(-1)?.files.length;
    expect(await saidOfCurrent(host, from)).toMatch(isLost ? /^(?:APPLIED )*UNSET $/ : /^(?:APPLIED )+$/);
    expect(host.collectorPid()).toBe(pid);
    const older = host.server.received
      .slice(from)
      .filter(({ message }) => effectiveText(message).includes("generation: older"));
    expect(older).toEqual([]);
    if (isLost) {
      // A server that sees no verdict offers it again.
      await host.apply(named(host, "current"));
      await expectRuns(host, "current");
    }
    // It can be gone back to, as well as from.
    const bad = host.server.offer(await portTaken(host, "bad"));
    await host.server.verdict(bad);
    await supervisor.waitFor("reverted");
    expect(await host.readState("effective.yaml")).toContain("generation: current");
    await expectRuns(host, "current");
    await host.apply(named(host, "later"));
    await expectRuns(host, "later");
  });

  it.each(Object.keys(damages))(
    "persistent_state.yaml %s: the agent keeps its name, and what runs is APPLIED",
    async (damage) => {
      const host = await wellKept();
      const uid = host.server.state?.instanceUid;
      damages[damage]?.(pathOf(host, "persistent_state.yaml"));
      const from = host.server.mark;
      await host.start();
      const first = await host.server.message("first words", () => true, from);
      expect(first.instanceUid).toEqual(uid);
      await expectRuns(host, "current");
      expect(await saidOfCurrent(host, from)).toMatch(/^(?:APPLIED )+$/);
    },
  );
});

describe("after a power cut", () => {
  it("all that the Collector could be started on lost: that is not APPLIED, until it is offered again", async () => {
    const host = await wellKept();
    await killCollectors(host);
    for (const path of (lost.at(-1)?.files ?? []).map((file) => pathOf(host, file))) rmSync(path);
    const from = host.server.mark;
    const supervisor = await host.start();
    await supervisor.waitFor("started");
    await host.server.until("no verdict", () => host.server.state?.remoteConfigStatus?.status === 0);
    expect(await saidOfCurrent(host, from)).toMatch(/^(?:APPLIED )*UNSET $/);
    await host.apply(named(host, "current"));
    await expectRuns(host, "current");
  });

  it.each(files)(
    "%s damaged in any way: the Collector is started on the same configuration",
    async (file) => {
      const host = await wellKept();
      await killCollectors(host);
      const good = join(host.dir, "good");
      cpSync(host.stateDir, good, { recursive: true });
      for (const [damage, spoil] of Object.entries(damages)) {
        rmSync(host.stateDir, { recursive: true });
        cpSync(good, host.stateDir, { recursive: true });
        spoil(pathOf(host, file));
        const from = host.server.mark;
        const supervisor = await host.start();
        await host.server.reported("health", ({ healthy }) => healthy, from);
        await expectRuns(host, "current");
        const said = await saidOfCurrent(host, from);
        const setAside = readdirSync(host.stateDir).filter((name) =>
          name.startsWith(`${file}.corrupt-`),
        ).length;
        const told = supervisor.lines.filter(
          (line) => line.event === "state_corrupt" && line.file === file,
        ).length;
        const { code } = await supervisor.kill("SIGTERM");
        const times = records.includes(file) ? 1 : 0;
        expect({ damage, said, setAside, told, code }).toEqual({
          damage,
          said: expect.stringMatching(truth) as string,
          setAside: times,
          told: times,
          code: 0,
        });
      }
    },
  );
});
