import { type BigIntStats, constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { type Clock, systemClock } from "../../foundation/clock.ts";
import { errorCode } from "../../foundation/errors.ts";
import { readCachedBinary, writeCachedBinary } from "./binary-cache.ts";
import { type Components, parseComponents, parseFeatureGates, parseValidNames } from "./binary-output.ts";
import type { Environment } from "./process-environment.ts";
import { executableKind, executableProblem, startError } from "./process-executable.ts";
import { type OneShotResult, runOneShot } from "./process-one-shot.ts";
import type { RunAs } from "./run-as-command.ts";

/** A Collector that the supervisor can manage. */
export interface IdentifiedBinary {
  identified: true;
  path: string;
  /** Changes when the file at `path` is replaced or rewritten. */
  fileIdentity: string;
  /** Name of the distribution, e.g. `otelcol-contrib`. */
  command: string;
  description: string;
  version: string;
  components: Components;
  /** It has the feature gate `service.AllowNoPipelines`. */
  supportsNoPipelines: boolean;
}

/**
 * What was found at `agent.executable`. Failing to identify a binary says little about running it: a
 * saved good configuration is run all the same, except where the file cannot be executed.
 */
export type CollectorBinary =
  | IdentifiedBinary
  | {
      identified: false;
      path: string;
      /** Undefined where there is no file. */
      fileIdentity: string | undefined;
      problem: "not-found" | "not-executable" | "not-a-collector" | "no-opamp-extension" | "unresponsive";
      /** What is wrong and what to do. */
      reason: string;
    };

export interface IdentifyOptions {
  executable: string;
  /** The whole environment of the commands. */
  env: Environment;
  cwd?: string | undefined;
  /** Bound of each command, `agent.bootstrap_timeout`. */
  timeoutMs: number;
  /** JSON file of earlier answers; damaged or not writable, it is done without. */
  cachePath: string;
  runAs?: RunAs | undefined;
  clock?: Clock;
  /** Ends the commands when nobody wants the answer any more. */
  signal?: AbortSignal | undefined;
}

type Problem = Extract<CollectorBinary, { identified: false }>;

const opampExtension = "github.com/open-telemetry/opentelemetry-collector-contrib/extension/opampextension";
const noPipelinesGate = "service.AllowNoPipelines";
const unknownName = "opampsupervisor_no_such_component";
const probeVariable = "OPAMP_SUPERVISOR_COMPONENT_PROBE";

/**
 * Learns name, version, components and abilities of a Collector binary without running a pipeline. It
 * starts `components`, `featuregate` and a `validate`, once for each version of the file. Never rejects.
 */
export async function identifyBinary(options: IdentifyOptions): Promise<CollectorBinary> {
  const { executable: path, cachePath } = options;
  const problem = (kind: Problem["problem"], reason: string, fileIdentity?: string): Problem => ({
    identified: false,
    path,
    fileIdentity,
    problem: kind,
    reason,
  });
  let fileIdentity: string;
  try {
    const real = await realpath(path);
    const status = await stat(real, { bigint: true });
    fileIdentity = identityOf(real, status);
    if (!status.isFile())
      return problem(
        "not-executable",
        `${path} is not a file; set agent.executable to a Collector binary`,
        fileIdentity,
      );
  } catch (error) {
    return problem("not-found", startError(path, undefined, error).message);
  }
  try {
    await access(path, constants.X_OK);
  } catch (error) {
    return problem("not-executable", startError(path, undefined, error).message, fileIdentity);
  }
  const notProgram = executableProblem(path);
  if (notProgram !== undefined) return problem("not-executable", notProgram, fileIdentity);
  const cached = await readCachedBinary(cachePath, path, fileIdentity);
  if (cached !== undefined) return cached;

  const run = (args: string[], env: Environment = {}) =>
    runOneShot({
      executable: path,
      args,
      env: { ...options.env, ...env },
      cwd: options.cwd,
      timeoutMs: options.timeoutMs,
      runAs: options.runAs,
      clock: options.clock ?? systemClock,
      signal: options.signal,
    });
  const [listing, gates, names] = await Promise.all([
    run(["components"]),
    run(["featuregate"]),
    run(["validate", `--config=env:${probeVariable}`], { [probeVariable]: probeConfiguration() }),
  ]);
  const failure = outcomeProblem(path, listing, options.timeoutMs);
  if (failure !== undefined) return problem(failure.problem, failure.reason, fileIdentity);
  const info = listing.outcome === "exited" ? await parseComponents(listing.stdout) : undefined;
  if (info === undefined) {
    const reason = `${path} runs but is not an OpenTelemetry Collector: the output of \`${path} components\` names no build; set agent.executable to a Collector binary`;
    return problem("not-a-collector", reason, fileIdentity);
  }
  const components = withNames(
    info.components,
    names.outcome === "exited" ? parseValidNames(names.stderr) : {},
  );
  if (!components.extensions.some(({ name }) => name === "opamp")) {
    const reason = `${path} (${info.command} ${info.version}) has no opamp extension, without which it cannot be managed; install a build that has it: the contrib distribution (otelcol-contrib), or your own, made by ocb with the module ${opampExtension}`;
    return problem("no-opamp-extension", reason, fileIdentity);
  }
  const { command, description, version } = info;
  const supportsNoPipelines =
    gates.outcome === "exited" && parseFeatureGates(gates.stdout).has(noPipelinesGate);
  const binary: IdentifiedBinary = {
    identified: true,
    path,
    fileIdentity,
    command,
    description,
    version,
    components,
    supportsNoPipelines,
  };
  // A script stays the same while the program that it starts is upgraded; a lame answer may be better next time.
  const everythingAnswered = gates.outcome === "exited" && names.outcome === "exited";
  if (everythingAnswered && executableKind(path).kind === "native")
    await writeCachedBinary(cachePath, binary);
  return binary;
}

/** Changes when the file at `path` is replaced or rewritten; undefined where there is none. */
export async function fileIdentityOf(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    return identityOf(real, await stat(real, { bigint: true }));
  } catch {
    return undefined;
  }
}

function identityOf(path: string, { dev, ino, size, mtimeNs }: BigIntStats): string {
  return [path, dev, ino, size, mtimeNs].join("|");
}

function outcomeProblem(
  path: string,
  result: OneShotResult,
  timeoutMs: number,
): Pick<Problem, "problem" | "reason"> | undefined {
  switch (result.outcome) {
    case "not-started": {
      const missing = errorCode(result.error.cause) === "ENOENT";
      return { problem: missing ? "not-found" : "not-executable", reason: result.error.message };
    }
    case "timed-out": {
      const reason = `\`${path} components\` did not end within ${timeoutMs} ms; raise agent.bootstrap_timeout if this host is slow`;
      return { problem: "unresponsive", reason };
    }
    case "exited": {
      if (result.signal !== null) {
        return { problem: "unresponsive", reason: `\`${path} components\` was killed by ${result.signal}` };
      }
      // setpriv says by these that it could not execute the command.
      if (result.code === 126 || result.code === 127) {
        const words = result.stderr.trim().split("\n").at(-1) ?? "";
        return { problem: "not-executable", reason: `cannot execute ${path}: ${words}` };
      }
      return undefined;
    }
  }
}

/**
 * A configuration of unknown components: in refusing it, a Collector names all that it has. Its
 * `components` command (0.149) leaves out those with a deprecated alias, the otlp exporter among them.
 */
function probeConfiguration(): string {
  const kinds = ["receivers", "processors", "exporters", "connectors", "extensions"];
  return `{${kinds.map((kind) => `${kind}: {${unknownName}: {}}`).join(", ")}}`;
}

/** Adds components known by name only. */
function withNames(components: Components, names: Partial<Record<keyof Components, string[]>>): Components {
  const complete = (kind: keyof Components) => {
    const listed = components[kind];
    const more = (names[kind] ?? []).filter((name) => !listed.some((component) => component.name === name));
    return [...listed, ...more.map((name) => ({ name }))].sort((a, b) => (a.name < b.name ? -1 : 1));
  };
  return {
    receivers: complete("receivers"),
    processors: complete("processors"),
    exporters: complete("exporters"),
    connectors: complete("connectors"),
    extensions: complete("extensions"),
  };
}
