// The pinned Node of an architecture, also of another one than this machine's.
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract } from "tar";
import { run, step, UserError } from "../scripts/progress.mjs";
import { root } from "../scripts/setup.mjs";

/**
 * The folder of that Node, with bin/node and LICENSE: the one in node_modules, else the npm package that
 * package-lock.json names, checked against it and kept in `cache`.
 */
export async function nodeRuntime(arch, cache) {
  const name = `node-linux-${arch}`;
  const installed = join(root, "node_modules", name);
  if (existsSync(join(installed, "bin/node"))) return installed;
  const lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const kept = join(cache, `${name}-${version}`);
  if (!existsSync(kept))
    await step(`getting ${name} ${version}`, () => fetchNode({ name, version, integrity, kept, cache }));
  return kept;
}

async function fetchNode({ name, version, integrity, kept, cache }) {
  await mkdir(cache, { recursive: true });
  // Made aside and renamed: of two runs at the same time the last wins, and both are right.
  const work = await mkdtemp(join(cache, "node-"));
  try {
    await run("npm", [
      "pack",
      "--silent",
      "--ignore-scripts",
      "--pack-destination",
      work,
      `${name}@${version}`,
    ]);
    const archive = join(work, `${name}-${version}.tgz`);
    const digest = `sha512-${createHash("sha512")
      .update(await readFile(archive))
      .digest("base64")}`;
    if (digest !== integrity)
      throw new UserError(`${name} ${version} is not what package-lock.json says: ${digest}`);
    await mkdir(join(work, "node"));
    const needed = (path) => /^package\/(bin\/node|LICENSE)$/.test(path);
    await pipeline(createReadStream(archive), extract({ cwd: join(work, "node"), strip: 1, filter: needed }));
    await rm(kept, { recursive: true, force: true });
    await rename(join(work, "node"), kept);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
