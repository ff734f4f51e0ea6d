// `npm run settings-reference`: makes docs/settings.md. With --print it goes to stdout.
import { realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runInForeground } from "./foreground.mjs";
import { main } from "./progress.mjs";
import { projectEnvironment, projectNode, root } from "./setup.mjs";

await main(async () => {
  const node = realpathSync(projectNode());
  if (realpathSync(process.execPath) !== node) {
    process.exitCode = await runInForeground(node, process.argv.slice(1), { env: projectEnvironment() });
    return;
  }
  // An older Node cannot load the schemas, which are TypeScript.
  const { settingsDocument } = await import("./settings-document.mjs");
  const text = settingsDocument();
  if (process.argv.includes("--print")) process.stdout.write(text);
  else writeFileSync(join(root, "docs/settings.md"), text);
});
