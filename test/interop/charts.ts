import { execFile, spawn } from "node:child_process";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { buildGo } from "./build-go.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;

export interface Manifest {
  kind: string;
  metadata: { name: string };
  // biome-ignore lint/suspicious/noExplicitAny: only what is read of it is said to be there
  [field: string]: any;
}

/** Helm, and what decodes manifests by the types of Kubernetes, cert-manager and the Prometheus Operator themselves. */
export interface ChartTools {
  helm: string;
  /** Strictly; resolves to "kind name" of each. */
  decode: (yaml: string) => Promise<string[]>;
}

/** Builds them once: minutes at first, for a hook with time. */
export async function chartTools(): Promise<ChartTools> {
  const helm = (await run(process.execPath, [join(root, "scripts/go-tool.mjs"), "helm"])).stdout.trim();
  const module = "opamp-supervisor/test/kubernetes";
  const decoder = (await buildGo(join(import.meta.dirname, "go-kubernetes"), [module])).get("kubernetes")!;
  return { helm, decode: (yaml) => decode(decoder, yaml) };
}

async function decode(decoder: string, yaml: string): Promise<string[]> {
  const child = spawn(decoder, { stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.end(yaml);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  if (stderr !== "") throw new Error(stderr);
  return stdout.trim().split("\n");
}

export const manifestsIn = (yaml: string): Manifest[] =>
  parseAllDocuments(yaml).flatMap((document) =>
    document.contents === null ? [] : [document.toJS() as Manifest],
  );
