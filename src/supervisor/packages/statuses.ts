import { create } from "@bufbuild/protobuf";
import * as z from "zod/mini";
import { assertNever } from "../../foundation/assert-never.ts";
import {
  PackageDownloadDetailsSchema,
  type PackageStatus,
  PackageStatusEnum,
  type PackageStatuses,
  PackageStatusesSchema,
  PackageStatusSchema,
} from "../../opamp/messages.ts";

const hex = z.string().check(z.regex(/^(?:[0-9a-f]{2})*$/));
const label = z.object({ version: z.string(), hash: hex });
const common = { name: z.string(), held: z.optional(label), offered: z.optional(label) };

const packageSchema = z.union([
  z.object({ ...common, held: label, state: z.object({ t: z.literal("installed") }) }),
  z.object({
    ...common,
    offered: label,
    state: z.discriminatedUnion("t", [
      z.object({ t: z.literal("pending") }),
      z.object({ t: z.literal("downloading"), percent: z.number(), bytesPerSecond: z.number() }),
      z.object({ t: z.literal("installing") }),
      z.object({ t: z.literal("failed"), reason: z.string() }),
    ]),
  }),
]);

const viewSchema = z.object({
  /** Hex of the last `all_packages_hash` received (AP11). */
  allHash: z.optional(hex),
  /** All that are held or under way, each name once (AP10). */
  packages: z.readonly(z.array(packageSchema)),
  /** Only what is wrong with no package in particular (AP15). */
  problem: z.optional(z.string()),
});

/** One package: what this host has of it, what was offered, and how far that is. */
export type PackageView = Readonly<z.infer<typeof packageSchema>>;

/** All that a server is told of packages, as it is kept on disk. Hashes are hex. */
export type PackagesView = Readonly<z.infer<typeof viewSchema>>;

export const noPackages: PackagesView = { packages: [] };

/** Reads a saved view. What was being downloaded or installed then is not any more: it is pending. */
export const savedPackagesView = {
  parse(value: unknown): PackagesView {
    const view = viewSchema.parse(value);
    return { ...view, packages: view.packages.map(afterRestart) };
  },
};

function afterRestart(one: PackageView): PackageView {
  const { offered, state } = one;
  if (offered === undefined || (state.t !== "downloading" && state.t !== "installing")) return one;
  return { name: one.name, held: one.held, offered, state: { t: "pending" } };
}

/** The message for the server; fields that do not apply stay empty (AP10 to AP15). */
export function toPackageStatuses({ allHash, packages, problem }: PackagesView): PackageStatuses {
  return create(PackageStatusesSchema, {
    packages: Object.fromEntries(packages.map((one) => [one.name, toPackageStatus(one)])),
    serverProvidedAllPackagesHash: bytes(allHash),
    errorMessage: problem ?? "",
  });
}

function toPackageStatus({ name, held, offered, state }: PackageView): PackageStatus {
  const status = create(PackageStatusSchema, {
    name,
    agentHasVersion: held?.version ?? "",
    agentHasHash: bytes(held?.hash),
    serverOfferedVersion: offered?.version ?? "",
    serverOfferedHash: bytes(offered?.hash),
  });
  switch (state.t) {
    case "installed":
      return { ...status, status: PackageStatusEnum.PackageStatusEnum_Installed };
    case "pending":
      return { ...status, status: PackageStatusEnum.PackageStatusEnum_InstallPending };
    case "installing":
      return { ...status, status: PackageStatusEnum.PackageStatusEnum_Installing };
    case "downloading":
      return {
        ...status,
        status: PackageStatusEnum.PackageStatusEnum_Downloading,
        downloadDetails: create(PackageDownloadDetailsSchema, {
          downloadPercent: Math.min(100, finite(state.percent)),
          downloadBytesPerSecond: finite(state.bytesPerSecond),
        }),
      };
    case "failed":
      return {
        ...status,
        status: PackageStatusEnum.PackageStatusEnum_InstallFailed,
        errorMessage: state.reason === "" ? "the package could not be installed" : state.reason,
      };
    default:
      return assertNever(state);
  }
}

/** Zero where a rate cannot be told, as at the very start. */
function finite(value: number): number {
  return Number.isFinite(value) ? Math.max(0, value) : 0;
}

function bytes(hash = ""): Uint8Array {
  return new Uint8Array(Buffer.from(hash, "hex"));
}
