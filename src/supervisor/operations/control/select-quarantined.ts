import type { Quarantined } from "../../change/configuration-book.ts";
import { Refusal } from "./refusal.ts";

/** Which entries of the quarantine are meant: all of them, or the one whose hash begins so. */
export type Selection = { t: "all" } | { t: "hash"; hash: string };

/** A shorter prefix is too easily another one's. */
const leastDigits = 6;

/**
 * The hashes that are meant.
 * @throws Refusal when there is none, or it is not clear which.
 */
export function selectQuarantined(quarantined: readonly Quarantined[], selection: Selection): string[] {
  const hashes = quarantined.map(({ hash }) => hash);
  if (selection.t === "all") return hashes;
  const wanted = selection.hash.toLowerCase();
  if (hashes.includes(wanted)) return [wanted];
  // An entry may name two things that came together, each with its kind before it unless it is a configuration.
  const digits = wanted.replace(/^[a-z]+:/, "");
  if (!/^[0-9a-f]+$/.test(digits) || digits.length < leastDigits) {
    throw new Refusal(400, `expected a hash or at least its first ${leastDigits} hexadecimal digits`);
  }
  const matching = hashes.filter((hash) => {
    const parts =
      wanted === digits ? hash.split("+").map((part) => part.replace(/^[a-z]+:/, "")) : hash.split("+");
    return parts.some((part) => part.startsWith(wanted));
  });
  if (matching.length > 1) {
    throw new Refusal(409, `${wanted} is the beginning of ${matching.length}: ${matching.join(", ")}`);
  }
  if (matching.length === 0) throw new Refusal(404, `nothing is quarantined under ${wanted}`);
  return matching;
}
