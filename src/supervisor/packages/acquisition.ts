import { describeError } from "../../foundation/errors.ts";
import type { DownloadOutcome, DownloadProgress } from "./download/contract.ts";
import type { OfferedPackage, PackagesOffer } from "./offer.ts";
import type { HeldPackage } from "./store/held-package.ts";
import type { PackageSet } from "./store/sets.ts";
import type { PackageStore } from "./store/store.ts";
import { PackageProblem } from "./unpack/package-problem.ts";

/** How far one package of an offer has come. */
export type PackageProgress =
  | { t: "pending" }
  | { t: "downloading"; percent: number; bytesPerSecond: number; problem: string | undefined }
  | { t: "installing" };

/** What became of an offer before anything was switched. `own`: what was offered is bad; `host`: this host could not. */
export type Acquired =
  | { t: "ready"; set: PackageSet | undefined }
  | { t: "failed"; name: string; fault: "own" | "host"; reason: string }
  | { t: "aborted" };

interface AcquisitionDeps {
  store: Pick<PackageStore, "find" | "downloadPath" | "admit" | "makeSet">;
  download(
    request: { url: string; headers: Readonly<Record<string, string>>; sha256: string; path: string },
    signal: AbortSignal,
    onProgress: (progress: DownloadProgress) => void,
  ): Promise<DownloadOutcome>;
  /** Whether trust keys are set, so that nothing unsigned is used, also not what came before they were. */
  mustBeSigned: boolean;
  /** Why a file may not be used; undefined if a trusted key has signed it. */
  refuse(file: { path: string; sha256: string }, signature: Uint8Array): Promise<string | undefined>;
  /** The wait may be long: an offer that nobody wants any more is given up. */
  signal: AbortSignal;
  onProgress: (name: string, progress: PackageProgress) => void;
}

/**
 * Brings every package of an offer onto this host: downloaded, verified, unpacked. Nothing that runs is touched,
 * and nothing is unpacked before it was verified. All or none: an offer is one change.
 */
export async function acquire(offer: PackagesOffer, deps: AcquisitionDeps): Promise<Acquired> {
  const [problem] = offer.problems;
  if (problem !== undefined) return { t: "failed", fault: "own", ...problem };
  const held: HeldPackage[] = [];
  for (const offered of offer.packages) {
    const one = await acquireOne(offered, deps);
    if ("t" in one) return one;
    held.push(one);
  }
  try {
    return { t: "ready", set: await deps.store.makeSet(held) };
  } catch (error) {
    return { t: "failed", name: held[0]?.name ?? "", fault: "host", reason: describeError(error) };
  }
}

async function acquireOne(
  offered: OfferedPackage,
  deps: AcquisitionDeps,
): Promise<HeldPackage | Extract<Acquired, { t: "failed" | "aborted" }>> {
  const { store, signal, onProgress } = deps;
  const { name, file } = offered;
  const failed = (fault: "own" | "host", reason: string) => ({ t: "failed", name, fault, reason }) as const;
  try {
    const found = await store.find(offered);
    if (found !== undefined && (found.signed || !deps.mustBeSigned)) return found;
    const path = store.downloadPath(file.sha256);
    const outcome = await deps.download({ ...file, path }, signal, (progress) =>
      onProgress(name, toProgress(progress)),
    );
    if (outcome.t === "aborted" || signal.aborted) return { t: "aborted" };
    if (outcome.t === "failed") return failed(outcome.fault, outcome.reason);
    onProgress(name, { t: "installing" });
    const signed = deps.mustBeSigned;
    const refusal = signed ? await deps.refuse({ path, sha256: file.sha256 }, file.signature) : undefined;
    if (refusal !== undefined) return failed("own", refusal);
    return await store.admit(offered, path, { signed });
  } catch (error) {
    return failed(error instanceof PackageProblem ? "own" : "host", describeError(error));
  }
}

function toProgress({
  receivedBytes,
  totalBytes,
  bytesPerSecond,
  problem,
}: DownloadProgress): PackageProgress {
  const percent = totalBytes ? (100 * receivedBytes) / totalBytes : 0;
  return { t: "downloading", percent, bytesPerSecond, problem };
}
