// Provides the real Collector of the tests and the demo: one that is there already, or one built with
// ocb and kept in the user's cache. Runs on the machine's own Node, before anything is installed.
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { argv, env, stdout } from "node:process";
import { isMain, main, run, step, UserError } from "./progress.mjs";
import { root } from "./setup.mjs";

const builderModule = "go.opentelemetry.io/collector/cmd/builder@v0.149.0";
/** From here on Go fetches the newer tool chain that ocb asks for by itself. */
const oldestGo = { major: 1, minor: 21 };
const howToGetCollector =
  "install Go 1.25 or later (https://go.dev/dl or your package manager), " +
  "or set OTELCOL to an OpenTelemetry Collector that has the opamp extension";

/** What differs between the Collectors the tests need; each is one binary. */
const variants = {
  default: {},
  /** The same components under another version: what a package update brings. */
  second: { version: "0.149.1" },
  /** Lacks components that a configuration may ask for. */
  fewer: { without: /transformprocessor|filelogreceiver/ },
};

export const variantNames = Object.keys(variants);

/**
 * The path of the Collector of the tests: `$OTELCOL` (`default` only), else the built one. The first
 * build takes one to three minutes; later calls answer at once.
 */
export async function collectorPath({ variant = "default" } = {}) {
  if (variant === "default" && env.OTELCOL) return checked(env.OTELCOL);
  return built(variant);
}

/** As {@link collectorPath}, but content with any suitable Collector on PATH: good enough for a demo. */
export async function anyCollectorPath() {
  return env.OTELCOL ? checked(env.OTELCOL) : ((await collectorOnPath()) ?? built("default"));
}

async function checked(binary) {
  if (await hasOpampExtension(binary)) return binary;
  throw new UserError(`OTELCOL=${binary} is not a Collector with the opamp extension: ${howToGetCollector}`);
}

async function collectorOnPath() {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    for (const name of ["otelcol", "otelcol-contrib"]) {
      const binary = join(folder, name);
      if (existsSync(binary) && (await hasOpampExtension(binary))) return binary;
    }
  }
  return undefined;
}

async function hasOpampExtension(binary) {
  try {
    return /^ *- name: opamp$/m.test(await run(binary, ["components"]));
  } catch {
    return false;
  }
}

async function built(variant) {
  const manifest = await manifestOf(variant);
  const cache = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "opamp-supervisor", "collector");
  const key = createHash("sha256")
    .update([manifest, builderModule, process.platform, process.arch].join("\n"))
    .digest("hex")
    .slice(0, 16);
  const binary = join(cache, key, "otelcol");
  if (existsSync(binary)) return binary;

  const go = await findGo();
  await mkdir(join(cache, key), { recursive: true });
  // Everything is made aside and renamed: of two runs at the same time the last wins, and both are right.
  const work = await mkdtemp(join(cache, "build-"));
  try {
    const builder = await installBuilder({ go, cache, work });
    await step(`building the Collector "${variant}" (minutes at first, then seconds)`, async () => {
      const out = join(work, "out");
      const config = join(work, "manifest.yaml");
      await writeFile(config, manifest.replace(/^dist:$/m, `dist:\n  output_path: ${out}\n  go: ${go}`));
      await run(builder, ["--config", config], { cwd: work, env: goEnvironment() });
      await rename(join(out, "otelcol-demo"), binary);
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return binary;
}

async function manifestOf(variant) {
  const { version, without } = variants[variant] ?? unknownVariant(variant);
  const text = await readFile(join(root, "fixtures", "collector", "manifest.yaml"), "utf8");
  const lines = text.split("\n").filter((line) => !without?.test(line));
  return lines
    .map((line) => (version ? line.replace(/^ {2}version: .*/, `  version: ${version}`) : line))
    .join("\n");
}

function unknownVariant(variant) {
  throw new UserError(`no Collector "${variant}": there is ${variantNames.join(", ")}`);
}

async function installBuilder({ go, cache, work }) {
  const builder = join(cache, builderModule.replace(/^.*@/, "builder-"));
  if (existsSync(builder)) return builder;
  await step("installing ocb, the Collector builder", async () => {
    await run(go, ["install", builderModule], { cwd: work, env: { ...goEnvironment(), GOBIN: work } });
    await rename(join(work, "builder"), builder);
  });
  return builder;
}

async function findGo() {
  // The second is where Go's own instructions put it, often without telling PATH.
  for (const go of ["go", "/usr/local/go/bin/go"]) {
    const answer = await run(go, ["env", "GOVERSION"]).catch(() => "");
    const [, major, minor] = /^go(\d+)\.(\d+)/.exec(answer) ?? [];
    if (major === undefined) continue;
    if (Number(major) > oldestGo.major || Number(minor) >= oldestGo.minor) return go;
    throw new UserError(`${answer.trim()} is too old to build the Collector: ${howToGetCollector}`);
  }
  throw new UserError(`no Go and no Collector found: ${howToGetCollector}`);
}

/** Without settings of the user that would build for another machine or inside another workspace. */
function goEnvironment() {
  const clean = { ...env, GOWORK: "off", CGO_ENABLED: "0" };
  for (const name of ["GOOS", "GOARCH", "GOBIN"]) delete clean[name];
  return clean;
}

if (isMain(import.meta.url)) {
  await main(async () => stdout.write(`${await collectorPath({ variant: argv[2] })}\n`));
}
