import { execFile } from "node:child_process";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore, prepare, update } from "../../support/package-store-rig.ts";
import { makeTempDir } from "../../support/temp-dir.ts";

const script = fileURLToPath(new URL("../../support/faulty-package-update.ts", import.meta.url));

const dir = makeTempDir();
const template = join(dir.path, "template");
const done = join(dir.path, "done");
let before: string;
let after: string;

beforeAll(async () => {
  await prepare(template);
  before = (await (await openStore(template)).currentId())!;
  cpSync(template, done, { recursive: true, verbatimSymlinks: true });
  after = await update(done);
});
afterAll(() => dir[Symbol.dispose]());

/** Resolves to the number of steps of the last update, or undefined when the process was killed before. */
function updateFaulty(fault: "kill" | "full", first: number, last: number): Promise<number | undefined> {
  const args = [script, template, join(dir.path, fault), fault, `${first}`, `${last}`];
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dir.path, "cache") };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
      if (error?.signal === "SIGKILL") resolve(undefined);
      else if (error === null) resolve(Number(stdout));
      else reject(new Error(stderr));
    });
  });
}

const everything = (path: string) => readdirSync(path, { recursive: true }).map(String).toSorted();

/** What is in use is whole, old or new; nothing is lost; and the update can be made after all. */
async function expectOldOrNew(name: string): Promise<void> {
  const directory = join(dir.path, name);
  try {
    const errors: unknown[] = [];
    const store = await openStore(directory, (fields) => errors.push(fields));
    const inUse = await store.currentId();
    expect([before, after]).toContain(inUse);
    const program = readFileSync(join(directory, "current", "otelcol", "otelcol"), "utf8");
    expect(program).toContain(inUse === before ? "echo one" : "echo two");
    expect(readFileSync(join(directory, "current", "data", "rows.csv"), "utf8")).toBe("rows of data");
    expect(await store.loadSet(inUse!)).toBeDefined();
    expect(everything(directory).filter((file) => file.endsWith(".tmp"))).toEqual([]);
    expect(await update(directory)).toBe(after);
    expect(everything(directory)).toEqual(everything(done));
    expect(errors).toEqual([]);
  } catch (cause) {
    throw new Error(`${name}: ${String(cause)}`, { cause });
  }
}

describe("an update of the packages", () => {
  it("killed before any step of it leaves the old packages or the new ones", async () => {
    const steps = (await updateFaulty("kill", 0, 0))!;
    expect(steps).toBeGreaterThan(50);
    let next = 1;
    const work = async () => {
      for (let at = next++; at <= steps; at = next++) {
        expect(await updateFaulty("kill", at, at)).toBeUndefined();
        await expectOldOrNew(`kill-${at}`);
      }
    };
    await Promise.all([work(), work()]);
  });

  it("for which the disk is full at any step leaves the old packages or the new ones", async () => {
    const steps = (await updateFaulty("full", 0, 0))!;
    expect(steps).toBeGreaterThan(50);
    await updateFaulty("full", 1, steps);
    for (let at = 1; at <= steps; at += 1) await expectOldOrNew(`full-${at}`);
  });
});
