import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { errorCode, isMissing } from "../../src/foundation/errors.ts";

const execute = promisify(execFile);

/** Runs the Go tool, free of a workspace or a target that the user may have set. */
async function go(args: readonly string[], cwd: string): Promise<string> {
  const env = { ...process.env, GOOS: undefined, GOARCH: undefined, GOWORK: "off", CGO_ENABLED: "0" };
  const { stdout } = await execute("go", args, { cwd, env }).catch((cause: unknown) => {
    throw isMissing(cause) ? new Error("install Go 1.25 or later: `go` is not on PATH", { cause }) : cause;
  });
  return stdout;
}

/** Where programs of other people are kept between runs. */
function cacheDirectory(): string {
  const base = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  return join(base, "opamp-supervisor", "interop");
}

/**
 * Builds packages of the Go module in `moduleDirectory` once per content of the module; later calls take
 * them from the cache. Returns the path of each program by the last element of its package.
 */
export async function buildGo(
  moduleDirectory: string,
  packages: readonly string[],
): Promise<Map<string, string>> {
  const directory = join(cacheDirectory(), await hashOf(moduleDirectory, packages));
  if (!(await exists(directory))) await buildInto(directory, moduleDirectory, packages);
  return new Map(packages.map((name) => [basename(name), join(directory, basename(name))]));
}

/** Builds beside the target and renames, so that a second builder or an interruption leaves nothing half done. */
async function buildInto(directory: string, cwd: string, packages: readonly string[]): Promise<void> {
  await mkdir(cacheDirectory(), { recursive: true });
  const building = await mkdtemp(join(cacheDirectory(), "building-"));
  try {
    process.stderr.write(`building ${packages.join(", ")} with Go (once)\n`);
    await go(["build", "-trimpath", "-o", `${building}/`, ...packages], cwd);
    await rename(building, directory).catch((error: unknown) => {
      if (errorCode(error) !== "ENOTEMPTY" && errorCode(error) !== "EEXIST") throw error;
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function hashOf(moduleDirectory: string, packages: readonly string[]): Promise<string> {
  const version = await go(["version"], moduleDirectory);
  const hash = createHash("sha256").update(`${version}${packages.join("\n")}\n`);
  const names = await readdir(moduleDirectory, { recursive: true });
  for (const name of names.filter((entry) => /\.go$|^go\.(mod|sum)$/.test(entry)).sort()) {
    hash.update(`${name}\n`).update(await readFile(join(moduleDirectory, name)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
