// `npm run bench:fleet`: gets the clone ready, then becomes bench/fleet/run.ts with all arguments.
import { runInForeground } from "./foreground.mjs";
import { main } from "./progress.mjs";
import { ensureBuild, ensureDependencies, projectEnvironment, projectNode, root } from "./setup.mjs";

await main(async () => {
  await ensureDependencies();
  await ensureBuild();
  const args = ["bench/fleet/run.ts", ...process.argv.slice(2)];
  process.exitCode = await runInForeground(projectNode(), args, { cwd: root, env: projectEnvironment({}) });
});
