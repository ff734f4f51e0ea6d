import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makePackage } from "../../support/installed-host.ts";
import { processGroup } from "../../support/processes.ts";
import { supervisorHost } from "../../support/supervisor-host.ts";
import { makeTempDir, tempDir } from "../../support/temp-dir.ts";

const run = promisify(execFile);

/** What there is on a machine without Node: the few tools of a shell. */
const bareEnvironment = { PATH: "/nowhere" };

describe("the tarball", { timeout: 120_000 }, () => {
  const folder = makeTempDir();
  const tarballs: string[] = [];

  beforeAll(async () => {
    for (const name of ["first", "second"]) tarballs.push(await makePackage("tar", name, folder.path));
  }, 240_000);
  afterAll(() => folder[Symbol.dispose]());

  /** SHA-256 of each file, by name, in the order of the archive. */
  async function filesOf(tarball: string): Promise<Map<string, string>> {
    const place = tempDir();
    await run("tar", ["--extract", "--gzip", "--file", tarball, "--directory", place]);
    const { stdout } = await run("tar", ["--list", "--gzip", "--file", tarball]);
    const names = stdout.split("\n").filter((name) => name !== "" && !name.endsWith("/"));
    return new Map(
      names.map((name) => [
        name,
        createHash("sha256")
          .update(readFileSync(join(place, name)))
          .digest("hex"),
      ]),
    );
  }

  /** Unpacks it in a folder of its own and resolves to the path of the launcher. */
  async function unpack(): Promise<string> {
    const place = join(tempDir(), "any where");
    mkdirSync(place);
    await run("tar", ["--extract", "--gzip", "--file", tarballs[0]!, "--directory", place]);
    return join(place, basename(tarballs[0]!, ".tar.gz"), "bin/opamp-supervisor");
  }

  it("has the same files, byte by byte, each time it is made, and is what SHA256SUMS says", async () => {
    const [first, second] = await Promise.all(tarballs.map(filesOf));
    expect(first!.size).toBeGreaterThan(10);
    // What V8 compiles ahead depends on what it had time for: the only files that may differ.
    const others = (files: Map<string, string>) => [...files].filter(([name]) => !name.endsWith(".cache"));
    expect(others(second!)).toEqual(others(first!));
    expect([...second!.keys()]).toEqual([...first!.keys()]);
    const sums = readFileSync(join(dirname(tarballs[0]!), "SHA256SUMS"), "utf8");
    const sum = createHash("sha256").update(readFileSync(tarballs[0]!)).digest("hex");
    expect(sums.split("\n")).toContain(`${sum}  ${basename(tarballs[0]!)}`);
  });

  it("comes with a list of what it is made of, the same each time, and with a signature that openssl verifies", async () => {
    const keys = generateKeyPairSync("ed25519");
    const [keyFile, publicFile] = [join(folder.path, "key.pem"), join(folder.path, "key.pub")];
    writeFileSync(keyFile, keys.privateKey.export({ type: "pkcs8", format: "pem" }));
    writeFileSync(publicFile, keys.publicKey.export({ type: "spki", format: "pem" }));
    const signed = dirname(await makePackage("tar", "signed", folder.path, ["--sign", keyFile]));
    const verify = [
      "-verify",
      "-pubin",
      "-inkey",
      publicFile,
      "-rawin",
      "-in",
      "SHA256SUMS",
      "-sigfile",
      "SHA256SUMS.sig",
    ];
    await run("openssl", ["pkeyutl", ...verify], { cwd: signed });
    await run("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: signed });

    const bills = [signed, dirname(tarballs[0]!)].map((place) => {
      const name = readdirSync(place).find((entry) => entry.endsWith(".cdx.json"))!;
      return readFileSync(join(place, name), "utf8");
    });
    expect(bills[1]).toBe(bills[0]);
    const bill = JSON.parse(bills[0]!) as {
      components: { name: string; purl: string; licenses: unknown[] }[];
    };
    const names = bill.components.map(({ name }) => name);
    for (const bundled of ["node", "ws", "yaml", "@bufbuild/protobuf"]) expect(names).toContain(bundled);
    // Only what is in the bundles, not what builds or tests them.
    expect(names).not.toContain("vitest");
    expect(bill.components.filter(({ licenses }) => licenses.length === 0)).toEqual([]);
  });

  it("runs from any folder, in an empty one, without Node and without a tool on PATH", async () => {
    const launcher = await unpack();
    const { version } = JSON.parse(
      readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
    ) as {
      version: string;
    };
    for (const program of [launcher, join(dirname(launcher), "opamp-server")]) {
      const { stdout } = await run(program, ["--version"], { cwd: tempDir(), env: bareEnvironment });
      expect(stdout).toBe(`${basename(program)} ${version}\n`);
    }
  });

  it("supervises, by its own Node and from compiled code that this Node takes", async () => {
    const host = await supervisorHost();
    const launcher = await unpack();
    const group = processGroup();
    const from = host.server.mark;
    const supervisor = await group.launch(launcher, ["--config", host.settingsPath], {
      cwd: tempDir(),
      env: bareEnvironment,
    });
    await host.server.reported("health", ({ healthy }) => healthy, from);
    expect(realpathSync(`/proc/${supervisor.pid}/exe`)).toBe(join(dirname(launcher), "../node/bin/node"));
    await host.apply(host.remotePipeline());
    await host.expectDataFlows();
    const check = `const { readFileSync } = require("node:fs"); const { Script } = require("node:vm");
      const file = process.argv[1] + "/supervisor.bundle.";
      const cachedData = readFileSync(file + "cache");
      const script = new Script(readFileSync(file + "js", "latin1"), { filename: "any", cachedData });
      process.stdout.write(String(script.cachedDataRejected));`;
    const flags = /^flags="(.*)"$/m.exec(readFileSync(launcher, "utf8"))![1]!.split(" ");
    const dist = join(dirname(launcher), "../dist");
    const { stdout } = await run(join(dirname(launcher), "../node/bin/node"), [...flags, "-e", check, dist]);
    expect(stdout).toBe("false");
  });

  it("follows another copy: SIGUSR2 there, a start here; the Collector is adopted, nothing refused", async () => {
    const host = await supervisorHost();
    const group = processGroup();
    const start = async () =>
      group.launch(await unpack(), ["--config", host.settingsPath], { env: bareEnvironment });
    const older = await start();
    await older.waitFor("started");
    await host.apply(host.remotePipeline());
    const pid = host.collectorPid();
    const sender = host.send();
    await sender.accepted();
    expect(await older.kill("SIGUSR2")).toEqual({ code: 0, signal: null });
    const from = host.server.mark;
    const newer = await start();
    expect(await newer.waitFor("collector_adopted")).toMatchObject({ pid });
    await host.server.reported("health", ({ healthy }) => healthy, from);
    await sender.accepted();
    const { refused, accepted } = await sender.stop();
    expect(refused).toEqual([]);
    await host.sink.waitFor(accepted);
    expect(host.collectorPid()).toBe(pid);
  });
});
