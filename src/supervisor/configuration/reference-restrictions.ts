import { formatPath, leaves, type Tree } from "../../foundation/collector-yaml/tree.ts";
import type { PathRule } from "./allowed-paths.ts";
import { isSecretKey } from "./redact.ts";
import { findReferences, parseEnvironmentReference, type Reference } from "./references.ts";
import type { Restrictions } from "./restrictions.ts";

/**
 * The `${...}` of a remote configuration that are not allowed by themselves, or that could bring in
 * something that the other restrictions would then not see.
 */
export function* referenceViolations(
  remote: Tree,
  restrictions: Restrictions,
  pathProblem: PathRule | undefined,
): Generator<string> {
  const { configProviders, filePaths, listenAddresses, componentTypes } = restrictions;
  // The settings give every kind of component a key, also those that are not limited.
  const limits = [filePaths, listenAddresses, ...Object.values(componentTypes ?? {})];
  const checksContent = limits.some((limit) => limit !== undefined);
  if (!checksContent && configProviders === undefined) return;
  for (const { path, value } of leaves(remote)) {
    if (typeof value !== "string") continue;
    const secret =
      isSecretKey(path.findLast((key) => !key.startsWith("[")) ?? "", "") || path.includes("headers");
    for (const reference of findReferences(value)) {
      const problem =
        providerProblem(reference, configProviders) ??
        hiddenTextProblem(reference) ??
        fileProblem(reference, pathProblem) ??
        (checksContent ? unseenContentProblem(reference, secret) : undefined);
      if (problem !== undefined) yield `${formatPath(path)}: ${problem}`;
    }
  }
}

function providerProblem({ scheme }: Reference, allowed: readonly string[] | undefined): string | undefined {
  if (allowed === undefined || allowed.includes(scheme)) return undefined;
  return `provider ${JSON.stringify(scheme)} is not allowed`;
}

/** Text inside a reference can become a map, and that may hold any key and any reference. */
function hiddenTextProblem({ scheme, body, whole, nested }: Reference): string | undefined {
  if (nested) return "a reference inside a reference cannot be checked";
  const text =
    scheme === "env" ? parseEnvironmentReference(body).fallback : scheme === "yaml" ? body : undefined;
  if (!whole || text === undefined || isPlainWord(text)) return undefined;
  return "the text inside the reference is not a plain word or number, so it cannot be checked";
}

function isPlainWord(text: string): boolean {
  return /^(?:[\w./@%+=-]|:(?=[\w/]))*$/.test(text);
}

function fileProblem({ scheme, body }: Reference, pathProblem: PathRule | undefined): string | undefined {
  return scheme === "file" ? pathProblem?.(body) : undefined;
}

/** What comes from elsewhere may be a map, except where only a secret makes sense. */
function unseenContentProblem({ scheme, whole }: Reference, secret: boolean): string | undefined {
  if (scheme === "env" || scheme === "yaml" || (scheme === "file" && (!whole || secret))) return undefined;
  return `what provider ${JSON.stringify(scheme)} brings cannot be checked`;
}
