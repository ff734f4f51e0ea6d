// Builds the web UI of opamp-server: names that change with the content, and each file compressed here once.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, gzip } from "node:zlib";
import { build } from "esbuild";
import { UserError } from "./progress.mjs";
import { root } from "./setup.mjs";

/** Writes index.html and assets/ into `outDir` and resolves to the source files it is made of. */
export async function buildWeb(outDir) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { app: "web/src/main.tsx", style: "web/style/main.css" },
    outdir: join(outDir, "assets"),
    entryNames: "[name]-[hash]",
    bundle: true,
    minify: true,
    metafile: true,
    format: "esm",
    target: ["chrome120", "firefox121", "safari17"],
    tsconfig: join(root, "web/tsconfig.json"),
    legalComments: "none",
    logLevel: "warning",
  }).catch((error) => {
    throw error.errors ? new UserError("the build of the web UI failed, see above") : error;
  });
  const outputs = Object.keys(metafile.outputs).map((path) => basename(path));
  const page = await readFile(join(root, "web/index.html"), "utf8");
  const named = page.replaceAll(/assets\/(\w+)\.(js|css)/g, (_, name, type) => {
    const found = outputs.find((output) => output.startsWith(`${name}-`) && output.endsWith(`.${type}`));
    if (found === undefined) throw new UserError(`web/index.html names ${name}.${type}, which is not built`);
    return `assets/${found}`;
  });
  await mkdir(outDir, { recursive: true });
  await writeFile(join(outDir, "index.html"), named);
  await compressAll(outDir);
  return Object.keys(metafile.inputs);
}

async function compressAll(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path);
    await writeFile(`${path}.br`, await promisify(brotliCompress)(content));
    await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
  }
}
