import { execFileSync } from "node:child_process";
import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { errorCode } from "../src/foundation/errors.ts";

/** A small file system of its own for the state directory. */
export class SmallDisk implements Disposable {
  readonly #path: string;
  readonly #filler: string;

  /** Mounts it; undefined where this user may not. `size` as mount takes it. */
  static mount(path: string, size: string): SmallDisk | undefined {
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", path], {
        stdio: "pipe",
      });
      return new SmallDisk(path);
    } catch {
      return undefined;
    }
  }

  private constructor(path: string) {
    this.#path = path;
    this.#filler = join(path, "filler");
  }

  /** Until nothing fits any more. */
  fill(): void {
    const file = openSync(this.#filler, "w");
    try {
      for (;;) writeSync(file, Buffer.alloc(4096));
    } catch (error) {
      if (errorCode(error) !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  empty(): void {
    truncateSync(this.#filler);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.#path]);
  }
}
