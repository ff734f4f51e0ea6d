// `npm run package`: what is installed on hosts, in artifacts/: for each architecture a tarball that brings its own
// Node, and a deb and an rpm of the same files. The same commit gives the same bytes.
import { createHash, createPrivateKey, sign } from "node:crypto";
import { createReadStream, createWriteStream, realpathSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { env } from "node:process";
import { pipeline } from "node:stream/promises";
import { parseArgs } from "node:util";
import { runInForeground } from "./foreground.mjs";
import { cache, goTool } from "./go-tool.mjs";
import { isMain, main, run, step, UserError } from "./progress.mjs";
import { ensureDependencies, projectEnvironment, projectNode, root } from "./setup.mjs";

const usage = `Usage: npm run package -- [--arch x64,arm64] [--format tar,deb,rpm] [--release N] [--out DIR] [--fast]
                          [--sign KEY.pem]

Makes the tarballs, debs and rpms, what they are made of (SBOM, CycloneDX), and SHA256SUMS of them all; by default all,
into artifacts/. --release is the revision of deb and rpm within the version of package.json. SOURCE_DATE_EPOCH is the
time of every file in them, in seconds; without it the time of the last commit. --fast compresses little: for trials.
--sign makes SHA256SUMS.sig, a raw Ed25519 signature; verify it with
  openssl pkeyutl -verify -pubin -inkey KEY.pub -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig
`;
const architectures = ["x64", "arm64"];
const formats = ["tar", "deb", "rpm"];
const packaging = join(root, "packaging");

async function makePackages({ archs, kinds, release, out, fast, key }) {
  // Not before the dependencies are there.
  const { buildAll, layOut } = await import("../packaging/tree.mjs");
  const { billOfMaterials } = await import("../packaging/sbom.mjs");
  const signingKey = key && (await readSigningKey(key));
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const mtime = new Date((await sourceDate()) * 1000);
  // Beside the result, so that it is moved and not copied.
  await mkdir(dirname(out), { recursive: true });
  const work = await mkdtemp(`${out}.making-`);
  try {
    const dist = join(work, "dist");
    const made = join(work, "made");
    await mkdir(made);
    const packages = await step("building", () => buildAll(dist));
    for (const arch of archs) {
      const tree = join(work, `opamp-supervisor-${version}-linux-${arch}`);
      await layOut({ arch, dist, tree, cache });
      for (const kind of kinds) {
        const make = kind === "tar" ? makeTarball : makePackage;
        await step(`packing for ${arch}: ${kind}`, () =>
          make({ kind, arch, version, release, mtime, tree, work, out: made, fast }),
        );
      }
    }
    const node = (await run(projectNode(), ["--version"])).trim().slice(1);
    const bill = billOfMaterials({ version, mtime, packages, node });
    await writeFile(join(made, `opamp-supervisor-${version}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);
    await writeChecksums(made);
    if (signingKey) await signChecksums(made, signingKey);
    await rm(out, { recursive: true, force: true });
    await rename(made, out);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Seconds since 1970 that every file gets. */
async function sourceDate() {
  const given =
    env.SOURCE_DATE_EPOCH ?? (await run("git", ["log", "-1", "--format=%ct"], { cwd: root }).catch(() => ""));
  if (/^\d+\s*$/.test(given)) return Number(given);
  throw new UserError(
    "this is no clone: set SOURCE_DATE_EPOCH to the time that the files are to have, in seconds",
  );
}

async function makeTarball({ tree, mtime, out, fast }) {
  const { create } = await import("tar");
  const { filesIn } = await import("../packaging/tree.mjs");
  const cwd = dirname(tree);
  const files = (await filesIn(tree)).map((path) => relative(cwd, path));
  const file = join(out, `${basename(tree)}.tar.gz`);
  // portable leaves out what depends on the machine and its user.
  const archive = create(
    { cwd, mtime, portable: true, gzip: { level: fast ? 1 : 9, portable: true } },
    files,
  );
  await pipeline(archive, createWriteStream(file));
}

async function makePackage({ kind, arch, version, release, mtime, tree, work, out, fast }) {
  const { nfpmConfig } = await import("../packaging/nfpm.mjs");
  const config = join(work, "nfpm.yaml");
  const settings = { arch, version, release, mtime: mtime.toISOString(), tree, folder: packaging, fast };
  // YAML is a superset of JSON.
  await writeFile(config, JSON.stringify(nfpmConfig(settings)));
  await run(
    await goTool("nfpm"),
    ["package", "--config", config, "--packager", kind, "--target", `${out}/`],
    {
      env: { ...env, SOURCE_DATE_EPOCH: String(mtime.getTime() / 1000) },
    },
  );
}

async function writeChecksums(folder) {
  const lines = [];
  for (const name of (await readdir(folder)).toSorted()) {
    const hash = createHash("sha256");
    await pipeline(createReadStream(join(folder, name)), hash);
    lines.push(`${hash.digest("hex")}  ${name}\n`);
  }
  await writeFile(join(folder, "SHA256SUMS"), lines.join(""));
}

/** The key is looked at before anything is made. */
async function readSigningKey(path) {
  const key = await readFile(path)
    .then(createPrivateKey)
    .catch((error) => {
      throw new UserError(`--sign ${path}: ${error.message}`);
    });
  if (key.asymmetricKeyType !== "ed25519") {
    throw new UserError(
      `--sign ${path}: an Ed25519 key is needed: openssl genpkey -algorithm ed25519 -out ${path}`,
    );
  }
  return key;
}

async function signChecksums(folder, key) {
  const signature = sign(null, await readFile(join(folder, "SHA256SUMS")), key);
  await writeFile(join(folder, "SHA256SUMS.sig"), signature);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      arch: { type: "string", default: architectures.join(",") },
      format: { type: "string", default: formats.join(",") },
      release: { type: "string", default: "1" },
      out: { type: "string", default: join(root, "artifacts") },
      fast: { type: "boolean", default: false },
      sign: { type: "string" },
      help: { type: "boolean" },
    },
  });
  if (values.help) return undefined;
  const { release, out, fast, sign: key } = values;
  return {
    archs: some("arch", values.arch, architectures),
    kinds: some("format", values.format, formats),
    release,
    out,
    fast,
    key,
  };
}

function some(option, text, known) {
  const chosen = text.split(",");
  const odd = chosen.find((name) => !known.includes(name));
  if (odd !== undefined) throw new UserError(`--${option} ${odd}: there is ${known.join(", ")}`);
  return chosen;
}

if (isMain(import.meta.url)) {
  await main(async () => {
    const options = readArguments();
    if (options === undefined) {
      process.stdout.write(usage);
      return;
    }
    await ensureDependencies();
    // Another Node compresses to other bytes.
    const node = realpathSync(projectNode());
    if (realpathSync(process.execPath) === node) await makePackages(options);
    else process.exitCode = await runInForeground(node, process.argv.slice(1), { env: projectEnvironment() });
  });
}
