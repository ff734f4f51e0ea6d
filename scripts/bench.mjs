// `npm run bench`: gets the clone ready, then becomes bench/run.ts with all arguments.
import { anyCollectorPath, collectorPath } from "./collector.mjs";
import { runInForeground } from "./foreground.mjs";
import { main } from "./progress.mjs";
import { ensureBuild, ensureDependencies, projectEnvironment, projectNode, root } from "./setup.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  const env = projectEnvironment({
    OTELCOL: await anyCollectorPath(),
    OTELCOL_SECOND: await collectorPath({ variant: "second" }),
  });
  const args = ["bench/run.ts", ...process.argv.slice(2)];
  process.exitCode = await runInForeground(projectNode(), args, { cwd: root, env });
});
