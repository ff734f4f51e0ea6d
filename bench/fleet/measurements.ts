import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../../test/support/eventually.ts";
import { openAndSayNothing } from "./half-open.ts";
import { collectorYaml } from "./messages.ts";
import type { SimulatedFleet } from "./simulated-fleet.ts";
import type { TestedServer } from "./tested-server.ts";

/** Name and value with its unit, in the order measured. */
export type Figures = Record<string, string>;

export interface Bench {
  server: TestedServer;
  fleet: SimulatedFleet;
  configurationBytes: number;
}

export interface Measurement {
  name: string;
  title: string;
  run(bench: Bench, options: { minutes: number; reconnecting: number; halfOpen: number }): Promise<Figures>;
}

/** Longer than anything here may take. */
const limitMs = 180_000;
const stageSeconds = 2;

interface Pushed {
  hash: string;
  rollout: string;
}

/** A configuration that nobody was offered before. */
async function push(bench: Bench, strategy: string): Promise<Pushed> {
  const yaml = collectorYaml(`${Date.now()} ${strategy}`, bench.configurationBytes);
  const path = `/api/v1/config?strategy=${strategy}`;
  const answer = await bench.server.call<{ config_hash: string; rollout: string }>("POST", path, yaml);
  return { hash: answer.config_hash, rollout: answer.rollout };
}

/** Pushes to all at once and waits until every agent runs it. */
async function deliver(bench: Bench): Promise<Pushed & { figures: Figures }> {
  const began = performance.now();
  const pushed = await push(bench, "immediate");
  const answered = performance.now() - began;
  await bench.fleet.confirmed(pushed.hash, limitMs);
  const offers = bench.fleet.agents.flatMap(({ offer }) => (offer === undefined ? [] : [offer]));
  const figures = {
    "POST answered": seconds(answered),
    "received by the agents": spread(offers.map(({ receivedAt }) => receivedAt - began)),
    "APPLIED taken by the server": spread(offers.map(({ confirmedAt = 0 }) => confirmedAt - began)),
  };
  return { ...pushed, figures };
}

async function stateOf({ server }: Bench, rollout: string): Promise<string> {
  return (await server.call<{ state: string }>("GET", `/api/v1/rollouts/${rollout}`)).state;
}

/** Resolves once the rollout has come to this. */
function rolloutIs(bench: Bench, rollout: string, state: string): Promise<unknown> {
  return eventually(
    `rollout ${rollout} is ${state}`,
    async () => (await stateOf(bench, rollout)) === state,
    limitMs,
  );
}

/** Stages of the ready-made default strategy, with seconds in place of ten minutes. */
async function useShortStages({ server }: Bench): Promise<string> {
  const name = "bench-stages";
  const stages = ["5%", "20%", "50%", "100%"].map((share) => ({ share, dwell: `${stageSeconds}s` }));
  await server.call("POST", "/api/v1/strategies", { kind: "RolloutStrategy", name, stages });
  return name;
}

export const measurements: readonly Measurement[] = [
  {
    name: "connect",
    title: "all connect",
    async run({ fleet }) {
      const times = await fleet.connect();
      return { "first report answered": spread(times), "refused or broken": String(fleet.troubles.failures) };
    },
  },
  {
    name: "push",
    title: "one configuration to all at once (strategy=immediate)",
    run: async (bench) => (await deliver(bench)).figures,
  },
  {
    name: "rollout",
    title: `four stages of ${stageSeconds} s`,
    async run(bench) {
      const strategy = await useShortStages(bench);
      const began = performance.now();
      const { hash, rollout } = await push(bench, strategy);
      await bench.fleet.confirmed(hash, limitMs);
      const reached = performance.now() - began;
      await rolloutIs(bench, rollout, "done");
      return {
        "every agent has it": seconds(reached),
        done: seconds(performance.now() - began),
        "of that, watched by rule": `${4 * stageSeconds} s`,
      };
    },
  },
  {
    name: "rollback",
    title: "POST /rollback of all",
    async run(bench) {
      const { hash: good } = await deliver(bench);
      await deliver(bench);
      const began = performance.now();
      const wish = { selector: { labels: {} }, to_version: "previous", reason: "measured" };
      const answer = await bench.server.call<{ rollouts: string[] }>("POST", "/api/v1/rollback", wish);
      await bench.fleet.confirmed(good, limitMs);
      const reached = performance.now() - began;
      await Promise.all(answer.rollouts.map((each) => rolloutIs(bench, each, "rolled-back")));
      return {
        "every agent is back, by hash": seconds(reached),
        confirmed: seconds(performance.now() - began),
      };
    },
  },
  {
    name: "breach",
    title: "2 % answer FAILED to a configuration that all get at once; the gates take it back",
    async run(bench) {
      const { fleet } = bench;
      const { hash: good } = await deliver(bench);
      fleet.goodHashes.add(good);
      fleet.failingShare = 0.02;
      const name = "bench-at-once";
      await bench.server.call("POST", "/api/v1/strategies", {
        kind: "RolloutStrategy",
        name,
        stages: [{ share: "100%", dwell: "10m" }],
      });
      const began = performance.now();
      const { rollout } = await push(bench, name);
      await eventually(
        "the breach is seen",
        async () => (await stateOf(bench, rollout)) !== "running",
        limitMs,
      );
      const seen = performance.now() - began;
      await fleet.until(limitMs, ({ offer }) => offer?.hash === good && offer.confirmedAt !== undefined);
      const reached = performance.now() - began;
      await rolloutIs(bench, rollout, "rolled-back");
      fleet.failingShare = 0;
      return {
        "breach seen after the POST": seconds(seen),
        "every agent is back, by hash": seconds(reached),
        confirmed: seconds(performance.now() - began),
      };
    },
  },
  {
    name: "reconnect",
    title: "many lose their connection and come back at once",
    async run({ fleet }, { reconnecting }) {
      const lost = fleet.agents.slice(0, reconnecting);
      for (const agent of lost) agent.drop();
      const times = await fleet.connect(lost);
      return { agents: String(lost.length), "back and answered": spread(times) };
    },
  },
  {
    name: "half-open",
    title: "sockets that say nothing, while one agent connects",
    async run({ fleet, server }, { halfOpen }) {
      const [agent] = fleet.agents;
      if (agent === undefined) return {};
      const before = server.rss;
      const open = await openAndSayNothing(server.opampUrl, halfOpen);
      agent.drop();
      const times = await fleet.connect([agent]);
      const more = server.rss - before;
      const began = performance.now();
      await open.allClosed;
      return {
        sockets: String(halfOpen),
        "an agent connects meanwhile": spread(times),
        "memory for them": `${more.toFixed(0)} MiB`,
        "all closed by the server after": seconds(performance.now() - began),
      };
    },
  },
  {
    name: "steady",
    title: "heartbeats only",
    async run({ fleet, server }, { minutes }) {
      const samples: number[] = [];
      const began = performance.now();
      const cpu = server.cpuMs;
      const endAt = began + minutes * 60_000;
      while (performance.now() < endAt) {
        samples.push(server.rss);
        await sleep(Math.min(10_000, Math.max(0, endAt - performance.now())));
      }
      samples.push(server.rss);
      const share = (server.cpuMs - cpu) / (performance.now() - began);
      const minute = (values: readonly number[]) => `${Math.max(...values).toFixed(0)} MiB`;
      return {
        minutes: String(minutes),
        "CPU (of one core)": `${(100 * share).toFixed(1)} %`,
        "largest RSS of the first minute": minute(samples.slice(0, 7)),
        "largest RSS of the last minute": minute(samples.slice(-7)),
        "connections lost": String(fleet.troubles.losses),
      };
    },
  },
];

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Percentiles of milliseconds. */
function spread(milliseconds: readonly number[]): string {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  const [p50, p95, p99, max] = [0.5, 0.95, 0.99, 1].map((share) => seconds(at(share)));
  return `P50 ${p50}  P95 ${p95}  P99 ${p99}  max ${max}`;
}
