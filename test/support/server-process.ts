import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { tempDir } from "./temp-dir.ts";

const program = fileURLToPath(new URL("../../src/cli/server.ts", import.meta.url));

export type LogLine = Record<string, unknown> & { event: string };

/** opamp-server as a process of its own; killed when the test ends. */
export class ServerProcess {
  readonly child: ChildProcess;
  readonly lines: LogLine[] = [];
  errors = "";
  output = "";
  readonly exited: Promise<number | null>;
  readonly #changed = new Set<() => void>();

  constructor(...args: string[]) {
    this.child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    this.exited = once(this.child, "close").then(([code]) => code as number | null);
    this.child.stderr?.on("data", (chunk: Buffer) => {
      this.errors += chunk.toString();
    });
    if (this.child.stdout === null) throw new Error("no stdout");
    createInterface(this.child.stdout).on("line", (line) => {
      this.output += `${line}\n`;
      if (line.startsWith("{")) this.lines.push(JSON.parse(line) as LogLine);
      for (const check of this.#changed) check();
    });
    onTestFinished(async () => {
      this.child.kill("SIGKILL");
      await this.exited;
    });
  }

  /** The first log line of an event; fails with what was written when the process ends before. */
  async logged(event: string): Promise<LogLine> {
    const found = () => this.lines.find((line) => line.event === event);
    const seen = new Promise<void>((resolve) => {
      const check = () => found() !== undefined && resolve();
      this.#changed.add(check);
      check();
    });
    await Promise.race([seen, this.exited]);
    const line = found();
    if (line === undefined) throw new Error(`ended without ${event}:\n${this.output}${this.errors}`);
    return line;
  }

  async urls(): Promise<{ opamp: URL; management: URL }> {
    const line = await this.logged("listening");
    return { opamp: new URL(String(line.opamp_url)), management: new URL(String(line.management_url)) };
  }
}

/** Settings with both listeners on free loopback ports, and what is pushed goes to everybody at once. */
export const onFreePorts =
  "opamp:\n  endpoint: 127.0.0.1:0\nmanagement:\n  endpoint: 127.0.0.1:0\nrollouts:\n  default_strategy: immediate\n";

/** Writes a server.yaml that is gone when the test ends. */
export async function settingsFile(text: string): Promise<string> {
  const path = join(tempDir(), "server.yaml");
  await writeFile(path, text);
  return path;
}
