import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The real Collector, 0.149.0 with the opamp extension. */
export function collectorBinary(): string {
  return fromEnvironment("OTELCOL", "");
}

/** The same components under another version, 0.149.1: what a package update brings. */
export function secondCollectorBinary(): string {
  return fromEnvironment("OTELCOL_SECOND", " second");
}

/** A Collector without the transform processor and the filelog receiver, built when first asked for. */
export async function collectorWithFewerComponents(): Promise<string> {
  const script = new URL("../../scripts/collector.mjs", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [script, "fewer"]);
  return stdout.trim();
}

function fromEnvironment(name: string, variant: string): string {
  const path = process.env[name];
  if (path) return path;
  throw new Error(`${name} is not set: run "npm test", or set it to $(node scripts/collector.mjs${variant})`);
}
