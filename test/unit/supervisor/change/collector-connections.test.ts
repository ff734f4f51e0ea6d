import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import {
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
} from "../../../../src/opamp/messages.ts";
import type { Failure } from "../../../../src/supervisor/change/change.ts";
import { CollectorConnections } from "../../../../src/supervisor/change/collector-connections.ts";
import type { Destination } from "../../../../src/supervisor/connection/collector/destination.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

type Signals = "ownMetrics" | "ownTraces" | "ownLogs";

const to = (hash: number, ...signals: Signals[]) =>
  create(ConnectionSettingsOffersSchema, {
    hash: new Uint8Array([hash]),
    ...Object.fromEntries(
      signals.map((signal) => [signal, { destinationEndpoint: `https://${hash}.example/${signal}` }]),
    ),
  });

function setUp(accepted?: ConnectionSettingsOffers) {
  const clock = new ManualClock();
  const probes: { destination: Destination; answer: (failure?: Failure) => void }[] = [];
  const changes: ConnectionSettingsOffers[] = [];
  const reports: [number | undefined, string | undefined][] = [];
  const connections = new CollectorConnections({
    clock,
    random: () => 0,
    policy: { allowHttp: false },
    accepted: () => accepted,
    change: (offers) => changes.push(offers),
    report: ([hash], failure) => reports.push([hash, failure?.reason]),
    probe: (destination) =>
      new Promise((resolve) => probes.push({ destination, answer: (failure) => resolve(failure) })),
  });
  return { clock, probes, changes, reports, connections };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const hashes = (changes: ConnectionSettingsOffers[]) => changes.map(({ hash }) => hash[0]);

it("becomes a change once its destinations could be reached, and not before", async () => {
  const { connections, probes, changes } = setUp();
  connections.offer(to(1, "ownMetrics", "ownLogs"));
  await turn();
  expect(probes.map(({ destination }) => destination.endpoint)).toEqual([
    "https://1.example/ownMetrics",
    "https://1.example/ownLogs",
  ]);
  probes[0]!.answer();
  await turn();
  expect(changes).toEqual([]);
  probes[1]!.answer();
  await turn();
  expect(hashes(changes)).toEqual([1]);
});

it("asks nobody again for what is in use, and judges it by no rule that it was not kept under", async () => {
  const accepted = to(1, "ownMetrics");
  accepted.ownMetrics!.destinationEndpoint = "http://1.example/ownMetrics";
  const { connections, probes, changes } = setUp(accepted);
  connections.offer({ ...accepted, hash: new Uint8Array([2]), ownLogs: to(2, "ownLogs").ownLogs });
  await turn();
  expect(probes.map(({ destination }) => destination.endpoint)).toEqual(["https://2.example/ownLogs"]);
  probes[0]!.answer();
  await turn();
  expect(hashes(changes)).toEqual([2]);
});

it("what comes while one is under way waits, signals of all that wait together", async () => {
  const { connections, probes, changes, reports } = setUp();
  connections.offer(to(1, "ownMetrics"));
  await turn();
  connections.offer(to(2, "ownLogs"));
  connections.offer(to(3, "ownTraces"));
  await turn();
  expect(probes).toHaveLength(1);
  probes[0]!.answer();
  await turn();
  connections.settled(new Uint8Array([1]), undefined);
  await turn();
  for (const { answer } of probes) answer();
  await turn();
  expect(hashes(changes)).toEqual([1, 3]);
  expect(changes[1]).toMatchObject({
    ownLogs: { destinationEndpoint: "https://2.example/ownLogs" },
    ownTraces: { destinationEndpoint: "https://3.example/ownTraces" },
  });
  expect(reports).toEqual([[1, undefined]]);
});

it("what cannot be reached is tried again, what is refused is not", async () => {
  const { clock, connections, probes, changes, reports } = setUp();
  connections.offer(to(1, "ownMetrics"));
  await turn();
  probes[0]!.answer({ fault: "host", reason: "nobody there" });
  await turn();
  expect(reports).toEqual([[1, "own metrics: nobody there"]]);
  clock.advance(30_000);
  await turn();
  expect(probes).toHaveLength(2);
  probes[1]!.answer({ fault: "own", reason: "wrong authority" });
  await turn();
  expect(reports.at(-1)).toEqual([1, "own metrics: wrong authority"]);
  clock.advance(3_600_000);
  await turn();
  expect(probes).toHaveLength(2);
  expect(changes).toEqual([]);
});

it("lets what may refer to other connections wait until those are settled, the latest only", async () => {
  const { connections, changes } = setUp();
  const ran: string[] = [];
  const others = (hash: number) =>
    create(ConnectionSettingsOffersSchema, {
      hash: new Uint8Array([hash]),
      otherConnections: { backend: { destinationEndpoint: `https://${hash}.example` } },
    });
  connections.whenSettled(() => ran.push("nothing offered"));
  connections.offer(to(1, "ownMetrics"));
  connections.whenSettled(() => ran.push("nothing to refer to"));
  expect(ran).toEqual(["nothing offered", "nothing to refer to"]);

  connections.offer(others(2));
  connections.whenSettled(() => ran.push("older"));
  connections.settled(new Uint8Array([1]), undefined);
  await turn();
  expect(hashes(changes)).toEqual([2]);
  connections.whenSettled(() => ran.push("latest"));
  expect(ran).toHaveLength(2);
  connections.settled(new Uint8Array([2]), { fault: "own", reason: "refused" });
  expect(ran.slice(2)).toEqual(["latest"]);
  connections.settled(new Uint8Array([2]), undefined);
  expect(ran.slice(2)).toEqual(["latest"]);
});
