import { isDeepStrictEqual } from "node:util";
import { isAllowedAddress } from "./allowed-addresses.ts";
import { pathProblem } from "./allowed-paths.ts";
import type { Composition } from "./compose.ts";
import {
  accessOf,
  type ComponentKind,
  componentKinds,
  isPathKey,
  matchesPattern,
} from "./known-components.ts";
import { referenceViolations } from "./reference-restrictions.ts";
import { findReferences } from "./references.ts";
import {
  at,
  child,
  formatPath,
  isList,
  isTree,
  type Leaf,
  leaves,
  mapAt,
  type Tree,
  type Value,
} from "./tree.ts";

/** What a remote configuration may do on this host. Whatever is absent is allowed. */
export interface Restrictions {
  /** Component types, without `/name`, per kind. A kind that is absent allows every type. */
  componentTypes?: Partial<Record<ComponentKind, readonly string[] | undefined>> | undefined;
  /** Schemes of `${scheme:...}`; `${NAME}` is `env`. */
  configProviders?: readonly string[] | undefined;
  /** Absolute paths; each allows itself and all below it. */
  filePaths?: readonly string[] | undefined;
  /** `HOST`, `HOST:PORT`, `*:PORT`. A listener without an address is on localhost, which is always allowed. */
  listenAddresses?: readonly string[] | undefined;
  /** What a remote configuration may set although the supervisor or a local file sets it too. */
  allowOverride?:
    | {
        opampExtension?: boolean | undefined;
        serviceTelemetry?: boolean | undefined;
        localFiles?: boolean | undefined;
      }
    | undefined;
  /** For {@link compose}, which does not even read what is larger. */
  maxRemoteConfigBytes?: number | undefined;
}

/**
 * What the remote part of a composition does beyond the restrictions, one line for each key.
 * Specification: "Configuration Restrictions" (AC9, AZ3, AZ5).
 */
export function checkRestrictions(
  composition: Pick<Composition, "tree" | "remoteTree" | "localTree">,
  restrictions: Restrictions,
): string[] {
  const { remoteTree } = composition;
  const violations = [
    ...componentViolations(remoteTree, restrictions),
    ...telemetryViolations(remoteTree, restrictions),
    ...referenceViolations(remoteTree, restrictions),
    ...overrideViolations(composition, restrictions),
  ];
  return [...new Set(violations)];
}

function* componentViolations(remote: Tree, restrictions: Restrictions): Generator<string> {
  const limited = restrictions.filePaths !== undefined || restrictions.listenAddresses !== undefined;
  for (const kind of componentKinds) {
    const types = restrictions.componentTypes?.[kind];
    if (types === undefined && !limited) continue;
    const section = child(remote, kind) ?? {};
    if (!isTree(section)) {
      yield `${kind}: must be a map, else its components cannot be checked`;
      continue;
    }
    for (const [id, config] of Object.entries(section)) {
      const [type = ""] = id.split("/");
      const name = formatPath([kind, id]);
      // The opamp extension is always there; whether it may be changed is a restriction of its own.
      const exempt = kind === "extensions" && id === "opamp";
      if (types !== undefined && !types.includes(type.trim()) && !exempt) {
        yield `${name}: component type ${JSON.stringify(type)} is not allowed`;
      } else if (limited) {
        yield* accessViolations(kind, type.trim(), name, config, restrictions);
      }
    }
  }
}

function* accessViolations(
  kind: ComponentKind,
  type: string,
  name: string,
  config: Value,
  restrictions: Restrictions,
): Generator<string> {
  const access = accessOf(kind, type);
  if (access === undefined) {
    yield `${name}: component type ${JSON.stringify(type)} is not known here, so its files and addresses cannot be checked`;
    return;
  }
  if (config !== null && !isTree(config)) {
    yield `${name}: must be a map, else its files and addresses cannot be checked`;
    return;
  }
  for (const { path, value } of leaves(config)) {
    const keys = withoutPositions(path);
    const key = keys.at(-1) ?? "";
    const where = `${name}.${formatPath(path)}`;
    if (key.includes("::")) yield `${where}: write nested maps instead of a key with ::`;
    const fits = (pattern: string) => matchesPattern(keys, pattern);
    if (isPathKey(key) || fits("**.tpm.path") || access.paths.some(fits)) {
      yield* pathViolations(where, value, restrictions);
    }
    if (access.listens.some(fits)) yield* addressViolations(where, value, restrictions);
  }
}

function* pathViolations(where: string, value: Value, { filePaths }: Restrictions): Generator<string> {
  if (filePaths === undefined || typeof value !== "string" || value === "") return;
  const problem =
    findReferences(value).length > 0
      ? "a path must be written out where paths are restricted"
      : pathProblem(value.replaceAll("$$", "$"), filePaths);
  if (problem !== undefined) yield `${where}: ${problem}`;
}

function* addressViolations(
  where: string,
  value: Leaf["value"],
  { listenAddresses }: Restrictions,
): Generator<string> {
  if (listenAddresses === undefined || value === null) return;
  const address = String(value);
  if (findReferences(address).length > 0) {
    yield `${where}: an address must be written out where addresses are restricted`;
  } else if (!isAllowedAddress(address, listenAddresses)) {
    yield `${where}: listening on ${JSON.stringify(address)} is not allowed`;
  }
}

function* telemetryViolations(remote: Tree, restrictions: Restrictions): Generator<string> {
  if (restrictions.filePaths === undefined && restrictions.listenAddresses === undefined) return;
  const telemetry = at(remote, ["service", "telemetry"]) ?? {};
  if (!isTree(telemetry)) {
    yield "service.telemetry: must be a map, else its files and addresses cannot be checked";
    return;
  }
  for (const { path, value } of leaves(telemetry)) {
    const keys = withoutPositions(path);
    const key = keys.at(-1) ?? "";
    const where = `service.telemetry.${formatPath(path)}`;
    if (/^logs\.(?:error_)?output_paths$/.test(keys.join("."))) {
      yield* outputViolations(where, value, restrictions);
    } else if (isPathKey(key)) {
      yield* pathViolations(where, value, restrictions);
    }
    if (keys.join(".") === "metrics.address") yield* addressViolations(where, value, restrictions);
  }
  yield* readerViolations(telemetry, restrictions);
}

function* outputViolations(where: string, value: Value, restrictions: Restrictions): Generator<string> {
  if (value === "stdout" || value === "stderr") return;
  // The Collector may take it for a URL and decode it.
  const isUrl = typeof value === "string" && value.includes("%") && restrictions.filePaths !== undefined;
  if (isUrl) yield `${where}: a path with % cannot be checked`;
  else yield* pathViolations(where, value, restrictions);
}

/** A metrics reader that is pulled from listens on `host` and `port`. */
function* readerViolations(telemetry: Tree, restrictions: Restrictions): Generator<string> {
  const readers = at(telemetry, ["metrics", "readers"]);
  if (readers === undefined || readers === null) return;
  for (const [index, reader] of (isList(readers) ? readers : [readers]).entries()) {
    const where = `service.telemetry.metrics.readers[${index}]`;
    if (!isTree(reader)) {
      yield `${where}: must be a map, else its address cannot be checked`;
      continue;
    }
    const { host, port = "" } = mapAt(reader, ["pull", "exporter", "prometheus"]);
    if (host === undefined) continue;
    yield* addressViolations(`${where}.pull`, `${scalarText(host)}:${scalarText(port)}`, restrictions);
  }
}

function* overrideViolations(
  { tree, remoteTree, localTree }: Pick<Composition, "tree" | "remoteTree" | "localTree">,
  { allowOverride = {} }: Restrictions,
): Generator<string> {
  if (allowOverride.opampExtension === false) {
    yield* keysAt(remoteTree, ["extensions", "opamp"], "the opamp extension may not be changed");
  }
  if (allowOverride.serviceTelemetry === false) {
    yield* keysAt(remoteTree, ["service", "telemetry"], "service.telemetry may not be changed");
    if (child(remoteTree, "service") === null) yield "service: service.telemetry may not be removed";
  }
  if (allowOverride.localFiles === false) yield* overridden(tree, remoteTree, localTree, []);
}

function* keysAt(remote: Tree, path: readonly string[], why: string): Generator<string> {
  const section = at(remote, path);
  if (section === undefined) return;
  const keys = isTree(section) ? Object.keys(section) : [];
  if (keys.length === 0) yield `${formatPath(path)}: ${why}`;
  for (const key of keys) yield `${formatPath([...path, key])}: ${why}`;
}

function* overridden(merged: Tree, remote: Tree, local: Tree, path: readonly string[]): Generator<string> {
  for (const [key, wanted] of Object.entries(remote)) {
    const mine = child(local, key);
    if (mine === undefined) continue;
    const here = [...path, key];
    if (isTree(wanted) && isTree(mine)) {
      yield* overridden(merged, wanted, mine, here);
      continue;
    }
    const isUnion = formatPath(here) === "service.extensions" && isList(wanted) && isList(mine);
    if (!isUnion && !isDeepStrictEqual(at(merged, here), mine)) {
      yield `${formatPath(here)}: a local file sets it`;
    }
  }
}

function withoutPositions(path: readonly string[]): string[] {
  return path.filter((key) => !/^\[\d+\]$/.test(key));
}

function scalarText(value: Value): string {
  return isTree(value) || isList(value) ? "" : String(value);
}
