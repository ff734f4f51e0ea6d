import {
  at,
  formatPath,
  isList,
  isTree,
  leaves,
  mapAt,
  type Tree,
  type Value,
} from "../../foundation/collector-yaml/tree.ts";
import {
  type AccessLimits,
  addressViolations,
  isFile,
  limitsAccess,
  outputViolations,
  pathViolations,
  withoutPositions,
} from "./access-restrictions.ts";
import type { Composition } from "./compose.ts";
import { isPathKey } from "./known-components.ts";

/** Where the Collector offers its own metrics unless it is told otherwise. */
const defaultMetricsAddress = "localhost:8888";

/** The files and addresses of `service.telemetry` that are not allowed, the default one included. */
export function* telemetryViolations(
  composition: Pick<Composition, "tree" | "remoteTree" | "localTree">,
  limits: AccessLimits,
): Generator<string> {
  if (!limitsAccess(limits)) return;
  const telemetry = at(composition.remoteTree, ["service", "telemetry"]) ?? {};
  if (!isTree(telemetry)) {
    yield "service.telemetry: must be a map, else its files and addresses cannot be checked";
    return;
  }
  for (const { path, value } of leaves(telemetry)) {
    const keys = withoutPositions(path);
    const key = keys.at(-1) ?? "";
    const where = `service.telemetry.${formatPath(path)}`;
    if (/^logs\.(?:error_)?output_paths$/.test(keys.join("."))) {
      yield* outputViolations(where, value, limits);
    } else if (isFile(value) || isPathKey(key)) {
      yield* pathViolations(where, value, limits);
    }
    if (keys.join(".") === "metrics.address") yield* addressViolations(where, value, limits);
  }
  yield* readerViolations(telemetry, limits);
  if (opensDefaultMetrics(composition)) {
    const where = "service.telemetry.metrics (by default; level: none or readers change it)";
    yield* addressViolations(where, defaultMetricsAddress, limits);
  }
}

/** A metrics reader that is pulled from listens on `host` and `port`. */
function* readerViolations(telemetry: Tree, limits: AccessLimits): Generator<string> {
  const readers = at(telemetry, ["metrics", "readers"]) ?? [];
  for (const [index, reader] of (isList(readers) ? readers : [readers]).entries()) {
    const where = `service.telemetry.metrics.readers[${index}]`;
    if (!isTree(reader)) {
      yield `${where}: must be a map, else its address cannot be checked`;
      continue;
    }
    const { pull } = reader;
    if (pull === undefined || pull === null) continue;
    const exporter = at(pull, ["exporter"]) ?? {};
    if (!isTree(exporter)) {
      yield `${where}.pull.exporter: must be a map, else its address cannot be checked`;
      continue;
    }
    for (const name of Object.keys(exporter)) {
      const { host = "", port = "" } = mapAt(exporter, [name]);
      yield* addressViolations(`${where}.pull`, `${scalarText(host)}:${scalarText(port)}`, limits);
    }
  }
}

/** Whether the Collector listens for its metrics only because of the remote configuration. */
function opensDefaultMetrics({
  tree,
  remoteTree,
  localTree,
}: Pick<Composition, "tree" | "remoteTree" | "localTree">): boolean {
  if (isEmpty(remoteTree) || !hasDefaultReader(tree)) return false;
  return isEmpty(localTree) || !hasDefaultReader(localTree);
}

function hasDefaultReader(tree: Tree): boolean {
  const { level, readers, address } = mapAt(tree, ["service", "telemetry", "metrics"]);
  const off = typeof level === "string" && level.toLowerCase() === "none";
  return !off && (readers ?? address ?? null) === null;
}

function isEmpty(tree: Tree): boolean {
  return Object.keys(tree).length === 0;
}

function scalarText(value: Value): string {
  return value === null || isTree(value) || isList(value) ? "" : String(value);
}
