// `npm run demo`: gets the clone ready for a story, then becomes demo/demo.ts.
import { parseArgs } from "node:util";
import { anyCollectorPath, collectorPath } from "./collector.mjs";
import { runInForeground } from "./foreground.mjs";
import { main, UserError } from "./progress.mjs";
import { ensureBuild, ensureDependencies, projectEnvironment, projectNode, root } from "./setup.mjs";

/** What a story is about, and the Collectors that it needs. */
const stories = {
  first: {
    about: "configurations: a first one, a rule pushed into the running pipeline, a bad one (the default)",
    collectors: async () => ({ OTELCOL: await anyCollectorPath() }),
  },
  upgrade: {
    about: "packages: a newer Collector under load, one that lacks a component, one that crashes",
    collectors: async () => ({
      OTELCOL: await collectorPath(),
      OTELCOL_SECOND: await collectorPath({ variant: "second" }),
      OTELCOL_FEWER: await collectorPath({ variant: "fewer" }),
    }),
  },
  rollout: {
    about: "a fleet of three: a bad configuration, a good one, and one whose harm only shows in figures",
    collectors: async () => ({ OTELCOL: await anyCollectorPath() }),
  },
};

const names = Object.keys(stories);
const usage = `Usage: npm run demo -- [options]

Plays a story with an embedded opamp-server, the real supervisor and a real Collector, on this machine's loopback.

Options:
  --story NAME  which one:
${names.map((name) => `                  ${name.padEnd(8)} ${stories[name].about}`).join("\n")}
  --once        end with the story; otherwise everything stays up until Ctrl-C
  --help        print this text

Exits 0 if every step truly happened.
`;

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        story: { type: "string", default: "first" },
        once: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }));
  } catch (error) {
    throw new UserError(`${error.message}\nTry npm run demo -- --help`);
  }
  if (!names.includes(values.story))
    throw new UserError(`no story is called "${values.story}": there is ${names.join(" and ")}`);
  return values;
}

await main(async () => {
  const { story, once, help } = readOptions();
  if (help) {
    process.stdout.write(usage);
    return;
  }
  await ensureDependencies();
  await ensureBuild();
  const env = projectEnvironment(await stories[story].collectors());
  const args = ["demo/demo.ts", "--story", story, ...(once ? ["--once"] : [])];
  process.exitCode = await runInForeground(projectNode(), args, { cwd: root, env });
});
