// A process of its own: updates package stores, each with a fault that waits one step of its work on disk
// later than in the one before. Arguments: the store to copy, where to (`-N` is appended), the fault, the
// first and the last step. Prints how many steps the last update took.
import { cpSync, promises } from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [template = "", target = "", fault, first, last] = process.argv.slice(2);
let at = Number(first);
let steps = 0;

function step(): void {
  steps += 1;
  if (steps !== at) return;
  if (fault === "kill") process.kill(process.pid, "SIGKILL");
  throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC", syscall: "write" });
}

/** The fault comes before the step is done. */
function guard(object: object, names: readonly string[]): void {
  const methods = object as Record<string, (...args: unknown[]) => unknown>;
  for (const name of names) {
    const original = methods[name];
    methods[name] = async function (this: unknown, ...args: unknown[]) {
      step();
      return original?.apply(this, args);
    };
  }
}

const handle = await promises.open(template, "r");
guard(Object.getPrototypeOf(handle) as object, ["writeFile", "sync", "chmod"]);
await handle.close();
// Removing needs no space.
const removing = fault === "kill" ? ["rm"] : [];
guard(promises, ["mkdir", "chmod", "rename", "symlink", "link", "open", ...removing]);
syncBuiltinESMExports();

const { update } = await import("./package-store-rig.ts");
for (; at <= Number(last); at += 1) {
  cpSync(template, `${target}-${at}`, { recursive: true, verbatimSymlinks: true });
  steps = 0;
  try {
    await update(`${target}-${at}`);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOSPC") throw error;
  }
}
process.stdout.write(`${steps}\n`);
