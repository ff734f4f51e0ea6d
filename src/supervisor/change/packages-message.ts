import { createHash } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { toHex } from "../../foundation/hex.ts";
import {
  type AgentRemoteConfig,
  type PackagesAvailable,
  PackagesAvailableSchema,
} from "../../opamp/messages.ts";
import { type PackagesOffer, parsePackagesAvailable } from "../packages/offer.ts";
import { configurationEntries } from "../trust/signed-entries.ts";

/** What the server offered last: its packages, and the configuration that came in the same message, if one did. */
export interface PackagesMessage {
  packages: PackagesAvailable;
  remote: AgentRemoteConfig | undefined;
  /** An administrator put it into the drop folder: it may name files of this host. */
  fromThisHost: boolean;
}

/** Of one package; the hash is hex. */
export interface PackageLabel {
  version: string;
  hash: string;
}

/** The same, read. */
export interface LastOffer {
  /** Tells one offer from another. */
  key: string;
  offer: PackagesOffer;
  /** Of every package in it, also of those that cannot be used. */
  labels: ReadonlyMap<string, PackageLabel>;
  remote: AgentRemoteConfig | undefined;
  message: PackagesMessage;
}

export function toLast(message: PackagesMessage): LastOffer {
  const { packages, remote } = message;
  const offer = parsePackagesAvailable(packages, message);
  const bytes = toBinary(PackagesAvailableSchema, packages);
  // A server that gives no aggregate hash is told apart by what it offers.
  const key = offer.allHash || createHash("sha256").update(bytes).digest("hex");
  const labels = Object.entries(packages.packages).map(
    ([name, { version, hash }]) => [name, { version, hash: toHex(hash) }] as const,
  );
  return { key, offer, labels: new Map(labels), remote, message };
}

/** Whether both are the same configuration, or none. */
export function sameRemote(a: AgentRemoteConfig | undefined, b: AgentRemoteConfig | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a.configHash, b.configHash) === 0;
}

/** An offer as it is meant after the last one. */
interface Meant {
  message: PackagesMessage;
  /** The order to run nothing, which came in the same message. */
  stop?: AgentRemoteConfig;
  /** A configuration whose packages were replaced by these: it is to be tried after them. */
  next?: AgentRemoteConfig;
}

/**
 * Reads an offer while the configuration `waiting` waits for the packages of the `last` one. The same packages
 * alone, as they come after a reconnect, are still those of that configuration.
 */
export function readAfter(
  message: PackagesMessage,
  last: LastOffer | undefined,
  waiting: AgentRemoteConfig | undefined,
): Meant {
  const { remote } = message;
  if (remote !== undefined) {
    const isStop = Object.keys(configurationEntries(remote.config)).length === 0;
    return isStop ? { message: { ...message, remote: undefined }, stop: remote } : { message };
  }
  if (waiting === undefined) return { message };
  const isSame = toLast(message).key === last?.key;
  return isSame ? { message: { ...message, remote: waiting } } : { message, next: waiting };
}
