// `npm run soak`: gets the clone ready, then becomes soak/run.ts with all arguments.
import { anyCollectorPath } from "./collector.mjs";
import { runInForeground } from "./foreground.mjs";
import { main } from "./progress.mjs";
import { ensureBuild, ensureDependencies, projectEnvironment, projectNode, root } from "./setup.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  const env = projectEnvironment({ OTELCOL: await anyCollectorPath() });
  const args = ["soak/run.ts", ...process.argv.slice(2)];
  process.exitCode = await runInForeground(projectNode(), args, { cwd: root, env });
});
