import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeError } from "../../src/foundation/errors.ts";
import { startPostgres } from "../../test/support/postgres.ts";
import { rssOf } from "../processes.ts";
import { measurements } from "./measurements.ts";
import { SimulatedFleet } from "./simulated-fleet.ts";
import { TestedServer } from "./tested-server.ts";

const usage = `Usage: npm run bench:fleet -- [options]

Starts opamp-server and a simulated fleet beside it on the same machine, and measures how both get along.

Options:
  --agents N         default 18000; each needs a file descriptor here and in the server (ulimit -n)
  --postgres         stores in a PostgreSQL of its own instead of the embedded database
  --minutes M        of heartbeats only, at the end (default 1)
  --reconnecting N   agents that come back at once (default 10000)
  --half-open N      sockets that say nothing (default 10000; what ulimit -n leaves beside the agents)
  --handshakes N     of agents that connect, under way at the same time (default 500)
  --bytes N          of a configuration (default 19000)
  --heartbeat S      seconds between two heartbeats of an agent (default 30)
  --only NAME        only this measurement besides connect; may be given several times:
                     ${measurements.map(({ name }) => name).join(", ")}
  --cpu-prof         writes a CPU profile of the server
  --keep             keeps the folder with the server's log, storage and profile
`;

interface Options {
  agents: number;
  postgres: boolean;
  minutes: number;
  reconnecting: number;
  halfOpen: number;
  handshakes: number;
  bytes: number;
  heartbeat: number;
  only: string[];
  profile: boolean;
  keep: boolean;
}

/** Undefined when asked for help. */
function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      agents: { type: "string", default: "18000" },
      postgres: { type: "boolean", default: false },
      minutes: { type: "string", default: "1" },
      reconnecting: { type: "string", default: "10000" },
      "half-open": { type: "string", default: "10000" },
      handshakes: { type: "string", default: "500" },
      bytes: { type: "string", default: "19000" },
      heartbeat: { type: "string", default: "30" },
      only: { type: "string", multiple: true, default: [] },
      "cpu-prof": { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const above0 = (name: Exclude<keyof typeof values, "only">) => {
    const value = Number(values[name]);
    if (value > 0) return value;
    throw new Error(`--${name} must be a number above 0`);
  };
  for (const name of values.only) {
    if (!measurements.some((each) => each.name === name)) throw new Error(`no measurement is called ${name}`);
  }
  return {
    agents: above0("agents"),
    postgres: values.postgres,
    minutes: above0("minutes"),
    reconnecting: above0("reconnecting"),
    halfOpen: above0("half-open"),
    handshakes: above0("handshakes"),
    bytes: above0("bytes"),
    heartbeat: above0("heartbeat"),
    only: values.only,
    profile: values["cpu-prof"],
    keep: values.keep || values["cpu-prof"],
  };
}

async function measure(options: Options, dir: string, postgresUrl: string | undefined): Promise<void> {
  const { agents, bytes, handshakes, heartbeat, only, profile } = options;
  const server = await TestedServer.start({ dir, postgresUrl, profile });
  const url = server.opampUrl;
  const heartbeatMs = heartbeat * 1000;
  const fleet = new SimulatedFleet({ url, agents, handshakes, heartbeatMs, configurationBytes: bytes });
  try {
    const bench = { server, fleet, configurationBytes: bytes };
    const chosen = measurements.filter(
      ({ name }) => only.length === 0 || name === "connect" || only.includes(name),
    );
    for (const measurement of chosen) {
      const since = Date.now();
      const began = { at: performance.now(), cpu: server.cpuMs };
      const figures = await measurement.run(bench, options);
      const took = performance.now() - began.at;
      console.log(`\n${measurement.title}`);
      for (const [name, value] of Object.entries(figures)) console.log(`  ${name.padEnd(34)}${value}`);
      const cpu = server.cpuMs - began.cpu;
      const busy = (100 * cpu) / took;
      const stall = server.longestStall(since).toFixed(0);
      const load = loadavg()[0]?.toFixed(1);
      console.log(
        `  (server: ${(cpu / 1000).toFixed(1)} s of CPU (${busy.toFixed(0)} %), RSS ${server.rss.toFixed(0)} MiB, longest stall ${stall} ms; ` +
          `simulator: RSS ${rssOf([process.pid]).toFixed(0)} MiB; load ${load})`,
      );
    }
  } finally {
    fleet.close();
    await server.stop();
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === undefined) {
    console.log(usage);
    return;
  }
  if (!existsSync("dist/server.cjs")) throw new Error("dist/server.cjs is missing: npm run build");
  const { agents, bytes, postgres } = options;
  console.log(
    `${agents} agents, ${bytes} bytes of configuration, ${postgres ? "PostgreSQL" : "embedded database"}; ` +
      `${cpus().length} cores of ${cpus()[0]?.model}, node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
  );
  const dir = await mkdtemp(join(tmpdir(), "opamp-fleet-"));
  const database = postgres ? await startPostgres() : undefined;
  try {
    await measure(options, dir, await database?.freshDatabase());
  } finally {
    await database?.[Symbol.asyncDispose]();
    if (options.keep) console.log(`\nkept: ${dir}`);
    else await rm(dir, { recursive: true });
  }
}

await main().catch((error: unknown) => {
  console.error(describeError(error));
  process.exitCode = 1;
});
