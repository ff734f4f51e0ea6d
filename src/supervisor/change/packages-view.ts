import type { PackageProgress } from "../packages/acquisition.ts";
import type { PackagesView, PackageView } from "../packages/statuses.ts";
import type { HeldPackage } from "../packages/store/held-package.ts";
import type { LastOffer, PackageLabel } from "./packages-message.ts";
import type { PackagesRecord } from "./packages-record.ts";

interface PackagesState {
  /** Of the set in use. */
  held: readonly HeldPackage[];
  last: LastOffer | undefined;
  record: PackagesRecord;
  /** Of the packages that are on their way, by name. */
  progress: ReadonlyMap<string, PackageProgress>;
}

/** Whether what runs, the packages `held` of a set, is exactly what was offered last. */
export function isInUse(
  { labels }: LastOffer,
  { packages, held }: { packages: string | null; held: readonly HeldPackage[] },
): boolean {
  const isDamaged = packages !== null && held.length === 0;
  if (isDamaged || labels.size !== held.length) return false;
  return held.every(({ name, ...label }) => isSame(label, labels.get(name)));
}

/** What a server is told of packages. */
export function viewOf(state: PackagesState): PackagesView {
  const { held, last, record } = state;
  const offered = last?.labels ?? new Map<string, PackageLabel>();
  const names = new Set([...held.map(({ name }) => name), ...offered.keys()]);
  const packages = [...names].flatMap((name) => packageView(state, name, offered.get(name)) ?? []);
  const allHash = last?.offer.allHash;
  const { outcome, failure } = record;
  // An offer of nothing can fail too: what is in use may be needed.
  const problem = packages.some(({ state }) => state.t === "failed") ? undefined : failure?.reason;
  return {
    ...(allHash !== undefined && { allHash }),
    packages,
    ...(outcome === "failed" && problem !== undefined && { problem }),
  };
}

/** A server may give no hash, and one that does may call the same package another version. */
function isSame(held: PackageLabel, offered: PackageLabel | undefined): boolean {
  if (offered === undefined) return false;
  return offered.hash === "" ? held.version === offered.version : held.hash === offered.hash;
}

function packageView(
  state: PackagesState,
  name: string,
  offered: PackageLabel | undefined,
): PackageView | undefined {
  const known = state.held.find((each) => each.name === name);
  const held = known && { version: known.version, hash: known.hash };
  const common = { name, ...(held && { held }), ...(offered && { offered }) };
  if (held !== undefined && (offered === undefined || isSame(held, offered)))
    return { ...common, held, state: { t: "installed" } };
  return offered && { ...common, offered, state: stateOf(state, name) };
}

function stateOf(
  { record, progress: all }: PackagesState,
  name: string,
): Exclude<PackageView["state"], { t: "installed" }> {
  const { outcome, failure } = record;
  if (outcome === "failed" && failure !== undefined) {
    const isOther = failure.name !== undefined && failure.name !== name;
    const reason = isOther ? `refused together with ${failure.name}: ${failure.reason}` : failure.reason;
    return { t: "failed", reason };
  }
  const progress = all.get(name);
  if (progress?.t === "downloading") {
    const { percent, bytesPerSecond } = progress;
    return { t: "downloading", percent, bytesPerSecond };
  }
  return progress ?? { t: "pending" };
}
