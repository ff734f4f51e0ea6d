/** A version such as 2.1.0, v0.150.0 or 1.0.0-rc.1+build: numbers, and what comes before the release of them. */
interface Version {
  readonly numbers: readonly number[];
  readonly prerelease: readonly string[];
}

/** Negative: `a` is older than `b` (Semantic Versioning 2.0.0, item 11). Undefined: one of them is no version. */
export function compareVersions(a: string, b: string): number | undefined {
  const [one, other] = [parseVersion(a), parseVersion(b)];
  if (one === undefined || other === undefined) return undefined;
  for (let index = 0; index < Math.max(one.numbers.length, other.numbers.length); index += 1) {
    const difference = (one.numbers[index] ?? 0) - (other.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return comparePrereleases(one.prerelease, other.prerelease);
}

export function isVersion(text: string): boolean {
  return parseVersion(text) !== undefined;
}

function parseVersion(text: string): Version | undefined {
  const found = /^v?(\d{1,15}(?:\.\d{1,15})*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$/.exec(text.trim());
  if (found === null) return undefined;
  const [, numbers = "", prerelease] = found;
  return { numbers: numbers.split(".").map(Number), prerelease: prerelease?.split(".") ?? [] };
}

function comparePrereleases(a: readonly string[], b: readonly string[]): number {
  // What has none is the release, which is newer than all that led to it.
  if (a.length === 0 || b.length === 0) return b.length - a.length;
  for (const [index, one] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    const difference = compareIdentifiers(one, other);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Numbers by value and before words; words by their characters. */
function compareIdentifiers(a: string, b: string): number {
  const [isNumber, otherIsNumber] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (isNumber && otherIsNumber) return Number(a) - Number(b);
  if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
