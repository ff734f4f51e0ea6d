import { toHex } from "../../foundation/hex.ts";
import { type PackageAvailable, type PackagesAvailable, PackageType } from "../../opamp/messages.ts";

/** What the server offers, as far as it can be used. */
export interface PackagesOffer {
  /** Opaque (AP6), in hexadecimal. */
  readonly allHash: string;
  readonly packages: readonly OfferedPackage[];
  /** Packages that cannot be, each with a reason that holds no secret. */
  readonly problems: readonly OfferProblem[];
}

export interface OfferProblem {
  readonly name: string;
  readonly reason: string;
}

export interface OfferedPackage {
  /** Safe as the name of a folder; empty for a top-level package only (AP16). */
  readonly name: string;
  readonly type: "top-level" | "addon";
  readonly version: string;
  /** Opaque (AP6), in hexadecimal. */
  readonly hash: string;
  readonly file: OfferedFile;
}

export interface OfferedFile {
  /** http: or https:, or file: from the drop folder. A secret: it may hold a password or token. */
  readonly url: string;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  /** Empty: not signed. */
  readonly signature: Uint8Array;
  /** By name; values are secrets. */
  readonly headers: Readonly<Record<string, string>>;
}

const sha256Bytes = 32;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Reads an offer. A package that is wrong in itself does not keep the others from being used. `fromThisHost`: only
 * what an administrator put into the drop folder may name files of this host.
 */
export function parsePackagesAvailable(
  message: PackagesAvailable,
  { fromThisHost = false }: { fromThisHost?: boolean } = {},
): PackagesOffer {
  const packages: OfferedPackage[] = [];
  const problems: OfferProblem[] = [];
  const offered = Object.entries(message.packages);
  const topLevel = offered.filter(([, { type }]) => type === PackageType.PackageType_TopLevel);
  for (const [name, available] of offered) {
    const parsed = parsePackage(name, available, { topLevelPackages: topLevel.length, fromThisHost });
    if ("problem" in parsed) problems.push({ name, reason: parsed.problem });
    else packages.push(parsed.package);
  }
  return { allHash: toHex(message.allPackagesHash), packages, problems };
}

type Parsed = { readonly package: OfferedPackage } | { readonly problem: string };

function parsePackage(
  name: string,
  available: PackageAvailable,
  { topLevelPackages, fromThisHost }: { topLevelPackages: number; fromThisHost: boolean },
): Parsed {
  const type = typeOf(available.type);
  if (type === undefined) return { problem: `its type ${available.type} is unknown` };
  if (name === "" ? type === "addon" : !namePattern.test(name)) return { problem: nameProblem(name) };
  if (type === "top-level" && topLevelPackages > 1) {
    return { problem: `${topLevelPackages} top-level packages are offered; an agent has one` };
  }
  const { file, version, hash } = available;
  if (file === undefined) return { problem: "it has no file to download" };
  const { downloadUrl: url, contentHash, signature } = file;
  const fileProblem = urlProblem(url, fromThisHost) ?? hashProblem(contentHash);
  if (fileProblem !== undefined) return { problem: fileProblem };
  const headers = new Map<string, string>();
  for (const { key, value } of file.headers?.headers ?? []) {
    if (!isHeader(key, value)) return { problem: "one of its headers is none that HTTP allows" };
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  const offered = { url, sha256: toHex(contentHash), signature, headers: Object.fromEntries(headers) };
  return { package: { name, type, version, hash: toHex(hash), file: offered } };
}

/** An open enum: the server may know types that this program does not. */
function typeOf(type: PackageType): OfferedPackage["type"] | undefined {
  if (type === PackageType.PackageType_TopLevel) return "top-level";
  return type === PackageType.PackageType_Addon ? "addon" : undefined;
}

function nameProblem(name: string): string {
  return name === ""
    ? "an addon needs a name"
    : "its name must be 1 to 100 letters, digits, dots, dashes and underscores, a letter or digit first";
}

function urlProblem(text: string, fromThisHost: boolean): string | undefined {
  if (text === "") return "its file has no URL";
  const url = URL.parse(text);
  if (url === null) return "the URL of its file cannot be read";
  if (url.protocol === "http:" || url.protocol === "https:") return undefined;
  if (url.protocol === "file:" && fromThisHost) return undefined;
  return `the URL of its file has the scheme ${url.protocol} instead of http: or https:`;
}

function hashProblem(hash: Uint8Array): string | undefined {
  return hash.length === sha256Bytes
    ? undefined
    : `the hash of its file has ${hash.length} bytes instead of the ${sha256Bytes} of a SHA-256`;
}

/** What node:http refuses to send; it would complain at every try only. */
function isHeader(name: string, value: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(name) && !/[^\t\x20-\x7e\x80-\xff]/.test(value);
}
