// `npm run manifests`: the plain manifests, made from the chart, for those who do without Helm. With --print they go to
// stdout.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { goTool } from "./go-tool.mjs";
import { isMain, main, run } from "./progress.mjs";
import { root } from "./setup.mjs";

/** Helm as it is built from its module takes the cluster for an ancient one. */
const kubernetes = "1.31.0";

const header = `# Made from packaging/helm/opamp-supervisor by "npm run manifests". Put the address of the OpAMP server in the
# place of wss://opamp.example.com/v1/opamp, then: kubectl create namespace opamp && kubectl apply -f opamp-supervisor.yaml
`;

async function plainManifests() {
  const name = "opamp-supervisor";
  const chart = join(root, "packaging/helm", name);
  const where = ["--namespace", "opamp", "--kube-version", kubernetes];
  const values = ["--set", "server.endpoint=wss://opamp.example.com/v1/opamp"];
  const rendered = await run(await goTool("helm"), ["template", name, chart, ...where, ...values]);
  // They are not Helm's.
  const lines = rendered
    .split("\n")
    .filter((line) => !/^# Source: |helm\.sh\/chart:|managed-by: Helm/.test(line));
  return header + lines.join("\n");
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const text = await plainManifests();
    if (process.argv.includes("--print")) process.stdout.write(text);
    else await writeFile(join(root, "packaging/kubernetes/opamp-supervisor.yaml"), text);
  });
}
