// Gets a fresh clone ready. Runs on the machine's own Node (20 or later), before anything is installed.
import { existsSync, readFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { run, step, UserError } from "./progress.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const neededNode = 24;

/** Installs the dependencies if they are missing or not those of package-lock.json. */
export async function ensureDependencies() {
  if (dependenciesAreCurrent()) return;
  await step("installing the dependencies (npm ci)", () =>
    npm(["ci", "--ignore-scripts", "--prefer-offline", "--loglevel=error"]),
  );
}

/** Bundles both programs into dist/. Takes well under a second, so it is never skipped. */
export async function ensureBuild() {
  await step("building", () => run(projectNode(), ["scripts/build.mjs"], { cwd: root }));
}

/** The Node that runs the project: the one npm installed for it, else the machine's if new enough. */
export function projectNode() {
  const own = join(root, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(own)) return own;
  if (Number(process.versions.node.split(".")[0]) >= neededNode) return process.execPath;
  throw new UserError(
    process.platform === "linux"
      ? `no Node ${neededNode} in node_modules: run "npm ci" without --omit=optional`
      : `Node ${process.versions.node} is too old: install Node ${neededNode} or later ` +
          `(on ${process.platform} npm does not bring it)`,
  );
}

/** The environment for a tool of the project: its binaries and its Node come first on PATH. */
export function projectEnvironment(extra = {}) {
  const path = [dirname(projectNode()), join(root, "node_modules", ".bin"), process.env.PATH ?? ""];
  // Where Go's own instructions put it, often without telling PATH.
  path.push("/usr/local/go/bin");
  return { ...process.env, PATH: path.join(delimiter), ...extra };
}

function dependenciesAreCurrent() {
  const installed = packagesOf(join(root, "node_modules", ".package-lock.json"));
  if (installed === undefined) return false;
  const wanted = packagesOf(join(root, "package-lock.json")) ?? {};
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === "") return true;
    // Optional packages of other platforms are never installed.
    if (installed[path] === undefined) return Boolean(optional ?? devOptional);
    return installed[path].version === version;
  });
}

function packagesOf(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Started by the Node that npm itself runs on: node_modules/.bin/node is what `npm ci` replaces. */
function npm(args) {
  const { npm_execpath: cli, npm_node_execpath: node } = process.env;
  return cli && node ? run(node, [cli, ...args], { cwd: root }) : run("npm", args, { cwd: root });
}
