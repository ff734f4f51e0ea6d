// Bundles both programs: one file each is what keeps the start fast and the memory low.
// dist/NAME.cjs starts NAME.bundle.js from NAME.bundle.cache, the compiled form that V8 made of it here.
import { readFileSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, parse, relative } from "node:path";
import { build } from "esbuild";
import { buildWeb } from "./build-web.mjs";
import { isMain, main, run, UserError } from "./progress.mjs";
import { projectNode, root } from "./setup.mjs";

const programs = { supervisor: "src/cli/supervisor.ts", server: "src/cli/server.ts" };

/**
 * Bundles `entries` (program to source file) into `outDir` and removes what else is there. Resolves to the packages
 * whose code is in the bundles.
 */
export async function buildPrograms({ entries = programs, outDir = join(root, "dist") } = {}) {
  const work = await mkdtemp(join(tmpdir(), "opamp-build-"));
  try {
    const packages = await makeFiles(entries, work);
    await replaceAll(work, outDir);
    return packages;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function makeFiles(entries, work) {
  const sources = new Set();
  for (const [program, entry] of Object.entries(entries)) {
    for (const source of await makeProgram(program, entry, work)) sources.add(source);
  }
  if ("server" in entries) {
    for (const source of await buildWeb(join(work, "web"))) sources.add(source);
  }
  const packages = await bundledPackages([...sources]);
  await writeFile(join(work, "LICENSES.txt"), licenseTexts(packages));
  return packages;
}

/** Resolves to the source files the program is made of. */
async function makeProgram(program, entry, work) {
  const lazy = await lazyParts(entry);
  // Half the text is layout, and V8 keeps the text in memory.
  const small = { minifyWhitespace: true, minifySyntax: true };
  const bundled = await bundle({ [program]: entry }, work, {
    ...small,
    outExtension: { ".js": ".bundle.js" },
    // The loader calls the bundle as Node would call a module.
    banner: { js: "(function (exports, require, module, __filename, __dirname) {" },
    footer: { js: "})" },
    plugins: [referTo(lazy, "./lazy"), lateBuiltins],
  });
  const entries = Object.fromEntries([...lazy].map(([source, name]) => [name, join(root, source)]));
  const besides = await bundle(entries, join(work, "lazy"), {
    ...small,
    outExtension: { ".js": ".cjs" },
    plugins: [referTo(lazy, ".")],
  });
  await copyFile(join(root, "scripts", "program-loader.cjs"), join(work, `${program}.cjs`));
  const prime = ["scripts/prime-code-cache.cjs", join(work, `${program}.bundle.js`), "--version"];
  await run(projectNode(), [...(await launcherFlags(program)), ...prime], { cwd: root });
  return [...Object.keys(bundled.inputs), ...Object.keys(besides.inputs)];
}

/** Commands of an operator: in the supervisor's own file they would take memory for as long as it runs. */
const apart = new Set(["src/cli/operator-commands.ts"]);

/**
 * What a program only loads by `await import()`, and with it packages that nothing else of the program
 * needs, or is to be apart: each gets a file of its own, which a start without it does not read. Resolves to
 * source file and name of each.
 */
async function lazyParts(entry) {
  const { inputs } = await bundle({ probe: entry }, "probe", { write: false });
  const loadedWith = (first) => {
    const loaded = new Set([first]);
    for (const path of loaded) {
      for (const { path: next, kind } of inputs[path]?.imports ?? []) {
        if (kind !== "dynamic-import") loaded.add(next);
      }
    }
    return loaded;
  };
  const atStart = loadedWith(entry);
  const ours = Object.entries(inputs).filter(([path]) => !isPackage(path));
  const late = ours.flatMap(([, { imports }]) => imports.filter(({ kind }) => kind === "dynamic-import"));
  const parts = late.filter(({ path }) => {
    const bringsPackages = [...loadedWith(path)].some((file) => isPackage(file) && !atStart.has(file));
    return !atStart.has(path) && (apart.has(path) || bringsPackages);
  });
  const names = new Map(parts.map(({ path, original }) => [path, partName(path, original)]));
  // One would be loaded in the other's place.
  if (new Set(names.values()).size < names.size) {
    throw new UserError(`two parts of a program have the same name: ${[...names.keys()].join(", ")}`);
  }
  return names;
}

const isPackage = (path) => path.includes("node_modules/");

function partName(path, original) {
  return isPackage(path) ? original.replaceAll("/", "-") : parse(path).name;
}

/** Writes the bundles and resolves to esbuild's account of them. */
async function bundle(entryPoints, outdir, options) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    metafile: true,
    platform: "node",
    target: "node24",
    // CommonJS starts without Node's ESM loader, also where a lazy part is loaded.
    format: "cjs",
    supported: { "dynamic-import": false },
    // ws takes it when it is there.
    alias: { bufferutil: "./src/opamp/websocket-mask.ts" },
    sourcemap: "external",
    legalComments: "none",
    logLevel: "warning",
    define: {
      __VERSION__: JSON.stringify(packageVersion()),
      // CommonJS has them under these names.
      "import.meta.dirname": "__dirname",
      "import.meta.filename": "__filename",
    },
    ...options,
  }).catch((error) => {
    throw error.errors ? new UserError("the build failed, see above") : error;
  });
  return metafile;
}

/** An esbuild plugin that leaves these parts out, which are loaded from their files in `folder` instead. */
function referTo(lazy, folder) {
  return {
    name: "lazy-parts",
    setup({ onResolve, resolve }) {
      onResolve({ filter: /./ }, async ({ kind, path, pluginData, ...from }) => {
        if (kind !== "dynamic-import" || pluginData === "asked") return undefined;
        const found = await resolve(path, { ...from, kind, pluginData: "asked" });
        const name = lazy.get(relative(root, found.path));
        return name === undefined ? undefined : { path: `${folder}/${name}.cjs`, external: true };
      });
    },
  };
}

/**
 * Loads these parts of Node at their first use and not at the start: a supervisor without TLS and without
 * compressed messages never needs them, and they cost 5 MB of memory.
 */
const lateBuiltins = {
  name: "late-builtins",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^(node:)?(https|tls|zlib)$/ }, ({ path, namespace }) => {
      if (namespace === "late") return { path, external: true };
      return { path: path.replace(/^node:/, ""), namespace: "late" };
    });
    onLoad({ filter: /.*/, namespace: "late" }, ({ path }) => ({
      contents: `
        let loaded;
        const load = () => (loaded ??= require("node:${path}"));
        const late = new Proxy({}, {
          get: (_target, name) => load()[name],
          has: (_target, name) => name in load(),
          // esbuild's import of a CommonJS module inherits from what this gives.
          getPrototypeOf: () => late,
        });
        module.exports = late;`,
    }));
  },
};

/** The packages that these files are of: name, version, licence and its text. */
async function bundledPackages(sources) {
  const folders = sources.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
  const found = [...new Set(folders)]
    .filter(Boolean)
    .toSorted((a, b) => a.localeCompare(b))
    .map(async (folder) => {
      const { name, version, license } = JSON.parse(
        await readFile(join(root, folder, "package.json"), "utf8"),
      );
      const file = (await readdir(join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file ? await readFile(join(root, folder, file), "utf8") : "";
      return { name, version, license, text: text.trim() };
    });
  return Promise.all(found);
}

/** Their licences, which have to go where their code goes. */
function licenseTexts(packages) {
  const texts = packages.map(
    ({ name, version, license, text }) => `${name} ${version} (${license})\n\n${text}\n`,
  );
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

/** V8 takes compiled code only under the flags it was compiled with. */
async function launcherFlags(program) {
  const launcher = await readFile(join(root, "bin", `opamp-${program}`), "utf8");
  return /^flags="?(.*?)"?$/m.exec(launcher)[1].split(" ").filter(Boolean);
}

function packageVersion() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version;
}

/**
 * Makes `target` what `source` is, file by file and by rename: a program started meanwhile loads an old
 * or a new file. Compiled code leaves first and comes last, never beside a bundle it was not made from.
 */
async function replaceAll(source, target) {
  const names = (await filesIn(source)).map((path) => relative(source, path));
  const caches = names.filter((name) => name.endsWith(".cache"));
  await mkdir(target, { recursive: true });
  for (const path of await filesIn(target)) {
    const name = relative(target, path);
    const ofAnotherBuild = name.endsWith(".tmp");
    if (caches.includes(name) || !(names.includes(name) || ofAnotherBuild)) await rm(path, { force: true });
  }
  for (const name of [...names.filter((name) => !caches.includes(name)), ...caches]) {
    const path = join(target, name);
    const fresh = `${path}.${process.pid}.tmp`;
    await mkdir(dirname(path), { recursive: true });
    await copyFile(join(source, name), fresh);
    await rename(fresh, path);
  }
}

async function filesIn(folder) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

if (isMain(import.meta.url)) await main(() => buildPrograms());
