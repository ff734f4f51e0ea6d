import { digestFields } from "../../foundation/field-digest.ts";
import { PackageType } from "../../opamp/messages.ts";
import type { OfferPart } from "../offers/lane.ts";
import type { PackageFile, PackageTypeName } from "./package-file.ts";

/** One package as it is offered. */
export interface SetMember extends PackageFile {
  /** SHA-256 over type, version, file hash and signature (SP3). Not over the URL, which differs by Agent. */
  readonly hash: Uint8Array;
}

/** All the packages an Agent is to have; one that is not named is to go (SP6). */
export interface PackageSet {
  /** By name. */
  readonly packages: readonly SetMember[];
  /** `all_packages_hash`: SHA-256 over names and package hashes (SP2). */
  readonly hash: Uint8Array;
  readonly hashHex: string;
}

/** Fixes the content: a file that changes later is no longer what this set offers. */
export function createPackageSet(files: readonly PackageFile[]): PackageSet {
  const packages = files
    .map((file) => ({ ...file, hash: new Uint8Array(digestFields(identifyingFields(file))) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const hash = digestFields(packages.flatMap(({ name, hash: own }) => [name, own]));
  return { packages, hash: new Uint8Array(hash), hashHex: hash.toString("hex") };
}

export interface DownloadPlace {
  /** Of the packages folder, as the Agent sees it; without a slash at the end. */
  baseUrl: string;
  headers: Readonly<Record<string, readonly string[]>>;
}

/** The offer, for an Agent that downloads from `place`. */
export function packagesAvailable(set: PackageSet, { baseUrl, headers }: DownloadPlace): OfferPart {
  const offered = set.packages.map((member) => {
    const file = {
      downloadUrl: `${baseUrl}/${pathOf(member)}`,
      contentHash: new Uint8Array(Buffer.from(member.sha256, "hex")),
      signature: member.signature,
      ...headersOf(headers),
    };
    const { hash, name, type, version } = member;
    return [name, { type: wireTypes[type], version, file, hash }] as const;
  });
  return { packagesAvailable: { packages: Object.fromEntries(offered), allPackagesHash: set.hash } };
}

const wireTypes: Readonly<Record<PackageTypeName, PackageType>> = {
  "top-level": PackageType.PackageType_TopLevel,
  addon: PackageType.PackageType_Addon,
};

function identifyingFields({ type, version, sha256, signature }: PackageFile): (string | Uint8Array)[] {
  return [type, version, Buffer.from(sha256, "hex"), signature];
}

function pathOf({ name, version, fileName }: PackageFile): string {
  return [name, version, fileName].map(encodeURIComponent).join("/");
}

function headersOf(headers: DownloadPlace["headers"]) {
  const list = Object.entries(headers).flatMap(([key, values]) => values.map((value) => ({ key, value })));
  return list.length === 0 ? {} : { headers: { headers: list } };
}
