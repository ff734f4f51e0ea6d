import { at, isList, isTree, type Tree, type Value } from "../../foundation/collector-yaml/tree.ts";
import type { ConnectionSettingsOffers, OtherConnectionSettings } from "../../opamp/messages.ts";
import { authorities, pemPair } from "../connection/collector/destination.ts";
import { escapeDollars } from "./extension-fragment.ts";
import type { PemPath } from "./own-telemetry-fragment.ts";

type OtherConnections = ConnectionSettingsOffers["otherConnections"];

/** `${opamp:connections.NAME.PATH}`, or with `:-` and what stands for it until it is offered. */
const reference = /(?<!\$)\$\{opamp:connections\.([^}]*?)(?::-([^}]*))?\}/g;

/**
 * Puts what was offered in the place of references to other connections (AN17). A reference that is the whole value may
 * become a map, such as `tls`. One that names what was not offered, and has no default, stays: a remote
 * configuration waits for it, any other the Collector refuses, and names it.
 */
export function resolveConnections(tree: Tree, offered: OtherConnections, pemPath: PemPath): Tree {
  const fragments = new Map(
    Object.entries(offered).map(([name, settings]) => [name, fragmentOf(settings, pemPath)] as const),
  );
  return resolveMap(tree, fragments);
}

function resolveMap(tree: Tree, fragments: ReadonlyMap<string, Tree>): Tree {
  return Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, resolve(value, fragments)]));
}

function resolve(value: Value, fragments: ReadonlyMap<string, Tree>): Value {
  if (isList(value)) return value.map((item) => resolve(item, fragments));
  if (isTree(value)) return resolveMap(value, fragments);
  if (typeof value !== "string" || !value.includes("${opamp:")) return value;
  const [first] = [...value.matchAll(reference)];
  if (first?.[0] === value) return found(first[1] ?? "", fragments) ?? first[2] ?? value;
  return value.replaceAll(reference, (whole: string, path: string, otherwise: string | undefined) => {
    const part = found(path, fragments);
    return typeof part === "string" ? part : (otherwise ?? whole);
  });
}

/** What a merged text still refers to: `NAME.PATH`, each once. */
export function missingConnections(text: string): string[] {
  return [...new Set([...text.matchAll(reference)].map(([, path = ""]) => path))];
}

/** Names may have dots: the longest one that fits is meant. */
function found(path: string, fragments: ReadonlyMap<string, Tree>): Value | undefined {
  const names = [...fragments.keys()].filter((name) => path === name || path.startsWith(`${name}.`));
  const name = names.sort((a, b) => b.length - a.length)[0];
  if (name === undefined) return undefined;
  const fragment = fragments.get(name);
  const [key = "", ...rest] = path.slice(name.length + 1).split(".");
  if (key === "") return fragment;
  return at(fragment, rest.length === 0 ? [key] : [key, rest.join(".")]);
}

/** In the names of the Collector's own clients (confighttp, configgrpc, configtls). */
function fragmentOf(settings: OtherConnectionSettings, pemPath: PemPath): Tree {
  const { destinationEndpoint, headers, certificate, otherSettings, tls, proxy } = settings;
  const pair = pemPair(certificate);
  const ca = authorities(tls);
  const file = (pem: string) => escapeDollars(pemPath(pem));
  const tlsTree: Tree = {
    ...(ca !== undefined && { ca_file: file(ca) }),
    ...(pair && { cert_file: file(pair.cert), key_file: file(pair.key) }),
    ...(tls && tls.minVersion !== "" && { min_version: plainVersion(tls.minVersion) }),
    ...(tls && tls.maxVersion !== "" && { max_version: plainVersion(tls.maxVersion) }),
    ...(tls && tls.cipherSuites.length > 0 && { cipher_suites: tls.cipherSuites }),
  };
  const texts = (pairs: readonly (readonly [string, string])[]): Tree =>
    Object.fromEntries(pairs.map(([key, value]) => [key, escapeDollars(value)]));
  return {
    ...(destinationEndpoint !== "" && { endpoint: escapeDollars(destinationEndpoint) }),
    headers: texts((headers?.headers ?? []).map(({ key, value }) => [key, value])),
    tls: tlsTree,
    ...(proxy && proxy.url !== "" && { proxy_url: escapeDollars(proxy.url) }),
    settings: texts(Object.entries(otherSettings)),
  };
}

/** `1.2` for `TLSv1.2`, as the Collector has it. */
const plainVersion = (version: string) => version.replace(/^TLS ?v?/i, "");
