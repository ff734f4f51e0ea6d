import { at, formatPath, isList, isTree, leaves, type Value } from "../../foundation/collector-yaml/tree.ts";
import { isAllowedAddress } from "./allowed-addresses.ts";
import type { PathRule } from "./allowed-paths.ts";
import {
  accessOf,
  type ComponentDefault,
  type ComponentKind,
  isPathKey,
  matchesPattern,
} from "./known-components.ts";
import { hasReference } from "./references.ts";

/** Which files and addresses may be used; undefined where that is not limited. */
export interface AccessLimits {
  pathProblem: PathRule | undefined;
  listenAddresses: readonly string[] | undefined;
}

export function limitsAccess({ pathProblem, listenAddresses }: AccessLimits): boolean {
  return pathProblem !== undefined || listenAddresses !== undefined;
}

/** One component of a remote configuration. */
export interface RestrictedComponent {
  kind: ComponentKind;
  type: string;
  /** For messages: `receivers.otlp/2`. */
  name: string;
  /** As the server wants it. */
  config: Value;
  /** As it is together with the local files. */
  merged: Value | undefined;
}

/** The files and addresses of a component that are not allowed, those included that it has by default. */
export function* accessViolations(component: RestrictedComponent, limits: AccessLimits): Generator<string> {
  const { kind, type, name, config } = component;
  const access = accessOf(kind, type);
  if (access === undefined) {
    yield `${name}: component type ${JSON.stringify(type)} is not known here, so its files and addresses cannot be checked`;
    return;
  }
  if (config !== null && !isTree(config)) {
    yield `${name}: must be a map, else its files and addresses cannot be checked`;
    return;
  }
  const { paths = [], listens = [], defaults = [] } = access;
  for (const { path, value } of leaves(config)) {
    const keys = withoutPositions(path);
    const key = keys.at(-1) ?? "";
    const where = `${name}.${formatPath(path)}`;
    if (key.includes("::")) yield `${where}: write nested maps instead of a key with ::`;
    const fits = (pattern: string) => matchesPattern(keys, pattern);
    if (isFile(value) || isPathKey(key) || fits("**.tpm.path") || paths.some(fits)) {
      yield* key === "output_paths"
        ? outputViolations(where, value, limits)
        : pathViolations(where, value, limits);
    }
    if (!listens.some(fits)) continue;
    yield* addressViolations(where, value, limits);
    const socket = socketFile(value, at(config, [...path.slice(0, -1), "transport"]));
    if (socket !== undefined) yield* pathViolations(where, socket, limits);
  }
  for (const each of defaults) yield* defaultViolations(each, component, limits);
}

/** Nobody may leave out of a configuration what may not be written into it. */
function* defaultViolations(
  { kind, key, value, unless }: ComponentDefault,
  { name, config, merged }: RestrictedComponent,
  limits: AccessLimits,
): Generator<string> {
  const keys = key.split(".");
  const section = keys.slice(0, -1);
  for (const [depth] of section.entries()) {
    const path = section.slice(0, depth + 1);
    const found = at(config, path);
    if (found === undefined) return;
    if (found !== null && !isTree(found)) {
      yield `${name}.${formatPath(path)}: must be a map, else its files and addresses cannot be checked`;
      return;
    }
  }
  const written = at(merged, keys) ?? null;
  const instead = unless === undefined ? undefined : at(merged, unless.split("."));
  if (written !== null || instead === true || isTree(instead) || isList(instead)) return;
  const where = `${name}.${key} (by default)`;
  if (kind === "path") yield* pathViolations(where, value, limits);
  else yield* addressViolations(where, value, limits);
}

/** A path that has to be below an allowed one. */
export function* pathViolations(
  where: string,
  value: Value,
  { pathProblem }: AccessLimits,
): Generator<string> {
  if (pathProblem === undefined || typeof value !== "string" || value === "") return;
  const problem = hasReference(value)
    ? "a path must be written out where paths are restricted"
    : pathProblem(value.replaceAll("$$", "$"));
  if (problem !== undefined) yield `${where}: ${problem}`;
}

/** An address to listen on, which has to be among the allowed ones. */
export function* addressViolations(
  where: string,
  value: Value,
  { listenAddresses }: AccessLimits,
): Generator<string> {
  if (listenAddresses === undefined || value === null || isTree(value) || isList(value)) return;
  const address = String(value);
  if (hasReference(address)) {
    yield `${where}: an address must be written out where addresses are restricted`;
  } else if (!isAllowedAddress(address, listenAddresses)) {
    yield `${where}: listening on ${JSON.stringify(address)} is not allowed`;
  }
}

/** A log of the Collector: a file, unless it is one of its standard streams. */
export function* outputViolations(where: string, value: Value, limits: AccessLimits): Generator<string> {
  if (value === "stdout" || value === "stderr") return;
  // The Collector may take it for a URL and decode it.
  const isUrl = typeof value === "string" && value.includes("%") && limits.pathProblem !== undefined;
  if (isUrl) yield `${where}: a path with % cannot be checked`;
  else yield* pathViolations(where, value, limits);
}

/** Keys of a leaf that name something. */
export function withoutPositions(path: readonly string[]): string[] {
  return path.filter((key) => !/^\[\d+\]$/.test(key));
}

/** Whether a value says of itself that it is a file, under whatever key. */
export function isFile(value: Value): boolean {
  return typeof value === "string" && /^\s*file:/i.test(value);
}

/** The file of a Unix socket: listening makes one, and removes what is there. */
function socketFile(address: Value, transport: Value | undefined): string | undefined {
  if (typeof address !== "string") return undefined;
  const [, url, path] = /^(unix:(?:\/\/(?=\/))?)?(.*)$/s.exec(address) ?? [];
  const isSocket = url !== undefined || /^[/@.]/.test(address);
  return isSocket || (typeof transport === "string" && !/^(?:tcp|udp)/.test(transport)) ? path : undefined;
}
