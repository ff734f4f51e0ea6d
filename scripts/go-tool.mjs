// Tools that are published as Go modules: built once, and kept between runs.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { env } from "node:process";
import { isMain, main, run, step, UserError } from "./progress.mjs";
import { projectEnvironment } from "./setup.mjs";

/** What is expensive to get is kept here. */
export const cache = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "opamp-supervisor");

const tools = {
  /** Later ones need a module that not every proxy has. */
  nfpm: "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4",
  helm: "helm.sh/helm/v3/cmd/helm@v3.19.0",
};

/** The path of a tool, which is built on first use. */
export async function goTool(name) {
  const module = tools[name];
  if (module === undefined) throw new UserError(`${name}: there is ${Object.keys(tools).join(", ")}`);
  const program = basename(module.replace(/@.*$/, ""));
  const tool = join(cache, `${program}-${module.replace(/^.*@/, "")}`);
  if (existsSync(tool)) return tool;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, `${program}-build-`));
  try {
    const GOBIN = work;
    const go = { GOBIN, GOWORK: "off", CGO_ENABLED: "0", GOOS: "", GOARCH: "", GOFLAGS: "" };
    await step(`installing ${program} (some minutes at first)`, () =>
      run("go", ["install", module], { cwd: work, env: projectEnvironment(go) }),
    );
    await rename(join(work, program), tool);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return tool;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    process.stdout.write(`${await goTool(process.argv[2] ?? "")}\n`);
  });
}
