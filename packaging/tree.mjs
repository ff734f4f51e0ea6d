// The files of an installation, as they are in the tarball and below /opt/opamp-supervisor.
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { buildPrograms } from "../scripts/build.mjs";
import { run, UserError } from "../scripts/progress.mjs";
import { projectNode, root } from "../scripts/setup.mjs";
import { nodeRuntime } from "./node-runtime.mjs";

const packaging = join(root, "packaging");

/** The bundles, and the program that only an installation has. Resolves to the packages that are in them. */
export async function buildAll(dist) {
  const packages = await buildPrograms({ outDir: dist });
  for (const program of ["supervisor", "server"]) await primeCodeCache(program, dist);
  await build({
    absWorkingDir: root,
    entryPoints: [join(packaging, "take-over.mjs")],
    outfile: join(dist, "take-over.cjs"),
    bundle: true,
    minifyWhitespace: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    legalComments: "none",
    logLevel: "warning",
  });
  return packages;
}

/**
 * Makes the compiled code anew so that it is the same each time: V8 writes the path of the bundle and hashes of a
 * random seed into it. The seed does not count among the flags by which it takes or refuses such code.
 */
async function primeCodeCache(program, dist) {
  const launcher = await readFile(join(root, "bin", `opamp-${program}`), "utf8");
  const flags = /^flags="?(.*?)"?$/m.exec(launcher)[1].split(" ").filter(Boolean);
  const prime = [join(root, "scripts/prime-code-cache.cjs"), `${program}.bundle.js`, "--version"];
  await run(projectNode(), [...flags, "--random-seed=1", ...prime], { cwd: dist, env: {} });
}

/** Lays out in `tree` what an installation for `arch` has, with the modes it has there. */
export async function layOut({ arch, dist, tree, cache }) {
  const put = putter(tree);
  for (const name of ["opamp-supervisor", "opamp-server"])
    await put(join(root, "bin", name), `bin/${name}`, 0o755);
  await put(join(root, "bin/launcher.sh"), "bin/launcher.sh");
  for (const path of await filesIn(dist)) {
    const name = relative(dist, path);
    // Code that V8 compiled here fits no other architecture: there the bundle is compiled at each start.
    const foreign = name.endsWith(".cache") && arch !== process.arch;
    if (name.endsWith(".map") || name === "take-over.cjs" || name === "LICENSES.txt" || foreign) continue;
    await put(path, join("dist", name));
  }
  const node = await nodeRuntime(arch, cache);
  await put(join(node, "bin/node"), "node/bin/node", 0o755);
  await put(join(node, "LICENSE"), "node/LICENSE");
  await put(join(dist, "LICENSES.txt"), "LICENSES.txt");
  for (const path of await filesIn(join(root, "docs"))) await put(path, relative(root, path));
  for (const name of ["LICENSE", "README.md", "SECURITY.md", "CHANGELOG.md", "server.example.yaml"])
    await put(join(root, name), name);
  await writeExample(join(tree, "supervisor.example.yaml"));
  for (const folder of ["systemd", "prometheus", "grafana"]) {
    for (const path of await filesIn(join(packaging, folder))) await put(path, relative(packaging, path));
  }
  await put(join(packaging, "libexec/end-left-collector"), "libexec/end-left-collector", 0o755);
  await put(join(packaging, "libexec/http-check"), "libexec/http-check", 0o755);
  await put(join(dist, "take-over.cjs"), "libexec/take-over.cjs");
  await put(join(packaging, "bin/opamp-supervisor-take-over"), "bin/opamp-supervisor-take-over", 0o755);
}

function putter(tree) {
  return async (source, name, mode = 0o644) => {
    const target = join(tree, name);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(source, target);
    await chmod(target, mode);
  };
}

/** The example with the storage directory of the service, where its user may write. */
async function writeExample(path) {
  const name = basename(path);
  const text = await readFile(join(root, name), "utf8");
  const adapted = text.replace(
    /^ {2}# directory: \/var\/lib\/otelcol\/supervisor$/m,
    "  directory: /var/lib/opamp-supervisor",
  );
  if (adapted === text) throw new UserError(`${name} no longer has the line about storage.directory`);
  await writeFile(path, adapted, { mode: 0o644 });
}

/** All files below `folder`, in the same order everywhere. */
export async function filesIn(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.toSorted();
}
