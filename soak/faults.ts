import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLiar } from "./liar.ts";
import type { Random } from "./random.ts";
import { settle, type World } from "./world.ts";

/** What befalls a world. When `strike` resolves it is over, and the world has to get well. */
export interface Fault {
  name: string;
  /** Why it cannot be had here; undefined where it can. */
  cannot?: (world: World) => string | undefined;
  strike: (world: World, random: Random, nth: number) => Promise<void>;
}

const generation = (nth: number) => `g${nth}`;

async function signalCollector(world: World, signal: NodeJS.Signals): Promise<void> {
  const pid = world.collectorPid();
  if (pid !== undefined) process.kill(pid, signal);
}

/** Files of which each is damaged in a way of its own; the filler of the disk and the log are none. */
async function damage(world: World, random: Random): Promise<void> {
  const files = (await readdir(world.stateDirectory, { recursive: true, withFileTypes: true }))
    .filter((file) => file.isFile() && !/^(?:filler|agent\.log)/.test(file.name))
    .map((file) => join(file.parentPath, file.name))
    .toSorted();
  const path = random.pick(files);
  const content = await readFile(path);
  const damaged = random.pick([
    Buffer.alloc(0),
    content.subarray(0, Math.floor(content.length / 2)),
    Buffer.from("\u0000garbage{["),
    Buffer.from(content.map((byte, at) => (at % 7 === 0 ? byte ^ 0x55 : byte))),
  ]);
  await writeFile(path, damaged);
}

const badConfigurations = {
  "unknown component": (world: World, nth: number) => {
    const pipeline = world.pipeline(generation(nth));
    return { ...pipeline, receivers: { ...pipeline.receivers, nosuch: {} } };
  },
  "port taken": (world: World, nth: number) =>
    world.pipeline(generation(nth), { port: world.ports.management }),
  "unused reference": (world: World, nth: number) => {
    const pipeline = world.pipeline(generation(nth));
    const logs = { receivers: ["otlp"], exporters: ["missing"] };
    return { ...pipeline, service: { ...pipeline.service, pipelines: { logs } } };
  },
} as const;

const badPrograms = [
  "this is no program\n",
  "#!/bin/sh\nexit 1\n",
  "#!/bin/sh\nkill -SEGV $$\n",
  `#!/bin/sh\necho "otelcol version 9.9.9"\n`,
];

export const faults: readonly Fault[] = [
  { name: "kill -9 Collector", strike: (world) => signalCollector(world, "SIGKILL") },
  {
    name: "hang Collector",
    strike: (world) => signalCollector(world, "SIGSTOP"),
  },
  {
    name: "kill -9 supervisor",
    strike: async (world, random) => {
      await world.supervisor.kill();
      await sleep(random.between(0, 2_000));
      await world.supervisor.start();
    },
  },
  {
    name: "kill -9 server",
    strike: async (world, random) => {
      await world.server.kill();
      await sleep(random.between(0, 3_000));
      await world.server.start();
    },
  },
  {
    name: "power cut",
    strike: async (world) => {
      await Promise.all([signalCollector(world, "SIGKILL"), world.supervisor.kill(), world.server.kill()]);
      await Promise.all([world.supervisor.start(), world.server.start()]);
    },
  },
  {
    name: "network cut",
    strike: async (world, random) => {
      world.proxy.cut();
      await sleep(random.between(500, 5_000));
      world.proxy.mend();
    },
  },
  {
    name: "lying server",
    strike: async (world, random) => {
      const liar = await startLiar(random);
      world.proxy.leadTo(liar.port);
      await sleep(random.between(1_000, 5_000));
      world.proxy.leadTo(world.ports.opamp);
      await liar.stop();
    },
  },
  {
    name: "full disk",
    cannot: ({ disk }) => (disk === undefined ? "mounting a small disk takes root" : undefined),
    strike: async (world, random, nth) => {
      world.disk?.fill();
      // Whatever the host cannot take now it has to take later.
      if (random.next() < 0.5)
        await world.push(world.pipeline(generation(nth)), generation(nth), { isGood: true });
      if (random.next() < 0.5) await signalCollector(world, "SIGKILL");
      await sleep(random.between(500, 3_000));
      world.disk?.empty();
    },
  },
  {
    name: "damaged file",
    strike: async (world, random) => {
      await world.supervisor.kill();
      await damage(world, random);
      await world.supervisor.start();
    },
  },
  {
    name: "clock jump",
    strike: async (world, random) => {
      const year = 365 * 24 * 3_600_000;
      await world.setClock(random.pick([-Date.now(), -year, -3_600_000, 3_600_000, year, 20 * year]));
      await sleep(random.between(500, 2_000));
      if (random.next() < 0.5) await signalCollector(world, "SIGKILL");
      if (random.next() < 0.3) {
        await world.supervisor.kill();
        await world.supervisor.start();
      }
      await sleep(random.between(500, 2_000));
      await world.setClock(0);
    },
  },
  {
    name: "good configuration",
    strike: async (world, _random, nth) => {
      await world.push(world.pipeline(generation(nth)), generation(nth), { isGood: true });
    },
  },
  {
    name: "good configuration, kill -9 supervisor",
    strike: async (world, random, nth) => {
      await world.push(world.pipeline(generation(nth)), generation(nth), { isGood: true });
      await sleep(random.between(0, 1_500));
      await world.supervisor.kill();
      await world.supervisor.start();
    },
  },
  {
    name: "bad configuration",
    strike: async (world, random, nth) => {
      const bad = random.pick(Object.values(badConfigurations))(world, nth);
      const { hash } = await world.push(bad, `${generation(nth)}-bad`, { isGood: false });
      const wrong = await settle(async () => {
        const verdict = (await world.control.agent())?.remote_config_status;
        return verdict?.hash === hash && verdict.status === "FAILED" ? undefined : JSON.stringify(verdict);
      }, 60_000);
      if (wrong !== undefined) throw new Error(`the bad configuration has not FAILED: ${wrong}`);
    },
  },
  {
    name: "bad package",
    strike: async (world, random, nth) => {
      const version = `9.0.${nth}`;
      await world.control.offerPackage(version, random.pick(badPrograms));
      const wrong = await settle(async () => {
        const packages = Object.values((await world.control.agent())?.packages ?? {});
        const failed = packages.some(({ status, error }) => /fail/i.test(status) && error !== undefined);
        return failed ? undefined : `the bad package has not failed: ${JSON.stringify(packages)}`;
      }, 60_000);
      if (wrong !== undefined) throw new Error(wrong);
      await world.control.withdrawPackages();
    },
  },
];
