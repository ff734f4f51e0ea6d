import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A fresh folder for the running test, removed after it and after everything it registered later. */
export function tempDir(): string {
  const dir = makeTempDir();
  onTestFinished(() => dir[Symbol.dispose]());
  return dir.path;
}

/** A fresh folder for `using dir = makeTempDir()`: what outlives a test, or is shared by several. */
export function makeTempDir(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "opamp-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }) };
}
