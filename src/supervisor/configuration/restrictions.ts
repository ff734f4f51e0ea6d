import { isDeepStrictEqual } from "node:util";
import { at, child, formatPath, isList, isTree, type Tree } from "../../foundation/collector-yaml/tree.ts";
import { type AccessLimits, accessViolations, limitsAccess } from "./access-restrictions.ts";
import { allowPaths } from "./allowed-paths.ts";
import type { Composition } from "./compose.ts";
import { type ComponentKind, componentKinds } from "./known-components.ts";
import { referenceViolations } from "./reference-restrictions.ts";
import { telemetryViolations } from "./telemetry-restrictions.ts";

/** What a remote configuration may do on this host. Whatever is absent is allowed. */
export interface Restrictions {
  /** Component types, without `/name`, per kind. A kind that is absent allows every type. */
  componentTypes?: Partial<Record<ComponentKind, readonly string[] | undefined>> | undefined;
  /** Schemes of `${scheme:...}`; `${NAME}` is `env`. */
  configProviders?: readonly string[] | undefined;
  /** Absolute paths; each allows itself and all below it, but no symbolic link that leads elsewhere. */
  filePaths?: readonly string[] | undefined;
  /** `HOST`, `HOST:PORT`, `*:PORT`. Without an address a listener has its default one, as if it were written. */
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

/** More are not named: a large configuration may have a hundred thousand. */
const mostViolations = 50;

/**
 * What the remote part of a composition does beyond the restrictions, one line for each key. Follows the
 * symbolic links that are in allowed paths now.
 * Specification: "Configuration Restrictions" (AC9, AZ3, AZ5).
 */
export function checkRestrictions(composition: Configurations, restrictions: Restrictions): string[] {
  const found = new Set<string>();
  for (const violation of violations(composition, restrictions)) {
    found.add(violation);
    if (found.size > mostViolations) return [...[...found].slice(0, mostViolations), "and more"];
  }
  return [...found];
}

function* violations(composition: Configurations, restrictions: Restrictions): Generator<string> {
  const { remoteTree } = composition;
  const limits: AccessLimits = {
    pathProblem: restrictions.filePaths && allowPaths(restrictions.filePaths),
    listenAddresses: restrictions.listenAddresses,
  };
  for (const kind of componentKinds) {
    const types = restrictions.componentTypes?.[kind];
    yield* componentViolations(kind, composition, types, limits);
  }
  yield* telemetryViolations(composition, limits);
  yield* referenceViolations(remoteTree, restrictions, limits.pathProblem);
  yield* overrideViolations(composition, restrictions);
}

/** What the server wants, what this host's files say, and what became of both. */
type Configurations = Pick<Composition, "tree" | "remoteTree" | "localTree">;

function* componentViolations(
  kind: ComponentKind,
  { tree, remoteTree }: Configurations,
  types: readonly string[] | undefined,
  limits: AccessLimits,
): Generator<string> {
  const limited = limitsAccess(limits);
  if (types === undefined && !limited) return;
  const section = child(remoteTree, kind) ?? {};
  if (!isTree(section)) {
    yield `${kind}: must be a map, else its components cannot be checked`;
    return;
  }
  for (const [id, config] of Object.entries(section)) {
    const type = (id.split("/")[0] ?? "").trim();
    const name = formatPath([kind, id]);
    // The opamp extension is always there; whether it may be changed is a restriction of its own.
    const exempt = kind === "extensions" && id === "opamp";
    if (types !== undefined && !types.includes(type) && !exempt) {
      yield `${name}: component type ${JSON.stringify(type)} is not allowed`;
    } else if (limited) {
      yield* accessViolations({ kind, type, name, config, merged: at(tree, [kind, id]) }, limits);
    }
  }
}

function* overrideViolations(
  { tree, remoteTree, localTree }: Configurations,
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
