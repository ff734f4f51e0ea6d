// How much a small sample may say. Everything that judges by a sample asks here, and nowhere else.

/**
 * Whether `count` of `sample` says that the true share is above `threshold`.
 *
 * It does when seeing that many or more would have a chance below 1 - `confidence` if the true share were the
 * threshold itself: an exact one-sided binomial test. So 1 of 3 failed is clear at thresholds of 0.1 % and
 * 0.5 %, 1 of 20 only at 0.1 %, 1 of 100 at neither; and in a large sample it comes down to the share itself.
 */
export function isAbove(count: number, sample: number, threshold: number, confidence: number): boolean {
  if (count <= 0 || sample <= 0 || count / sample <= threshold) return false;
  if (threshold <= 0) return true;
  return chanceOfAtLeast(count, sample, threshold) < 1 - confidence;
}

/** P(X >= count) of a binomial of `sample` draws at `share`, summed from the smaller end. */
export function chanceOfAtLeast(count: number, sample: number, share: number): number {
  if (count <= 0) return 1;
  if (count > sample) return 0;
  if (share >= 1) return 1;
  if (share <= 0) return 0;
  const fromTop = count > sample * share;
  const first = fromTop ? count : count - 1;
  const step = fromTop ? 1 : -1;
  let term = Math.exp(logChanceOf(first, sample, share));
  let sum = 0;
  const odds = share / (1 - share);
  for (let k = first; k >= 0 && k <= sample; k += step) {
    sum += term;
    // Away from the middle terms only shrink, so that what follows no longer counts.
    if (term < sum * 1e-12) break;
    term *= fromTop ? ((sample - k) / (k + 1)) * odds : k / (sample - k + 1) / odds;
  }
  return Math.min(1, fromTop ? sum : 1 - sum);
}

/** ln P(X = k). */
function logChanceOf(k: number, sample: number, share: number): number {
  return (
    logFactorial(sample) -
    logFactorial(k) -
    logFactorial(sample - k) +
    k * Math.log(share) +
    (sample - k) * Math.log1p(-share)
  );
}

/** Stirling's series above what is summed directly; good to eight digits there. */
function logFactorial(n: number): number {
  if (n < 32) {
    let sum = 0;
    for (let k = 2; k <= n; k += 1) sum += Math.log(k);
    return sum;
  }
  return n * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI * n) + 1 / (12 * n) - 1 / (360 * n ** 3);
}

/** From how many Agents on an increase counts as it is. */
const enoughForIncrease = 5;

/**
 * The threshold of an increase in a sample of so many Agents: below five it must be that much larger, since one
 * host alone is noisy. One Agent must show five times as much, three 1.67 times.
 */
export function increaseThreshold(threshold: number, sample: number): number {
  return threshold * Math.max(1, enoughForIncrease / Math.max(1, sample));
}

/** The middle value; of an even number the mean of both middle ones. Undefined of none. */
export function median(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
  return (upper + lower) / 2;
}
