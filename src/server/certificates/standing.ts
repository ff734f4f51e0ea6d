import type { CertificateRow } from "./certificate-rows.ts";

export type CertificateState = "issued" | "active" | "expiring" | "failed" | "expired" | "revoked";

/** Where a certificate is in its life. Times are milliseconds. */
export function certificateState(row: CertificateRow, now: number, renewBeforeMs: number): CertificateState {
  if (row.revoked_at !== null) return "revoked";
  if (row.expires_at <= now) return "expired";
  if (row.failure !== null) return "failed";
  if (row.used_at === null && row.origin === "issued") return "issued";
  return isEnding(row, now, renewBeforeMs) ? "expiring" : "active";
}

/** Whether its Agent should have another by now; a short lifetime leaves its last quarter for that. */
export function isEnding(
  { created_at, expires_at }: CertificateRow,
  now: number,
  renewBeforeMs: number,
): boolean {
  return expires_at - now <= Math.min(renewBeforeMs, (expires_at - created_at) / 4);
}

/** One that was not used for so long after it was issued will not be. */
const answerBudgetMs = 24 * 3_600_000;

/** How issuing goes: what was used counts as success; what was refused, or never used, as failure. */
export function renewalSummary(all: readonly CertificateRow[], now: number, renewBeforeMs: number) {
  const issued = all.filter(({ origin }) => origin === "issued");
  const succeeded = issued.filter(({ used_at }) => used_at !== null).length;
  const failed = issued.filter(
    ({ used_at, failure, created_at }) =>
      used_at === null && (failure !== null || now - created_at > answerBudgetMs),
  ).length;
  const judged = succeeded + failed;
  const good = all.filter(({ revoked_at, expires_at }) => revoked_at === null && expires_at > now);
  const hasSuccessor = (row: CertificateRow) =>
    good.some(
      (other) =>
        other.instance_uid === row.instance_uid &&
        other.created_at > row.created_at &&
        other.used_at !== null,
    );
  const laggards = good
    .filter((row) => row.instance_uid !== null && isEnding(row, now, renewBeforeMs) && !hasSuccessor(row))
    .map(({ instance_uid }) => instance_uid ?? "");
  return {
    issued: issued.length,
    succeeded,
    failed,
    success_rate: judged === 0 ? null : succeeded / judged,
    laggards: [...new Set(laggards)],
  };
}
