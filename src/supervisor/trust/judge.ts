import type { Selectable } from "../../opamp/selector.ts";
import { fitsAudience, type SignatureClaims } from "./statement.ts";
import type { TrustRecord } from "./trust-record.ts";
import { UntrustedError } from "./untrusted-error.ts";

/** What this host knows of the time, in seconds since the Unix epoch. */
export interface KnownTime {
  clock: number;
  /** `agent.trust.clock_skew`. */
  skew: number;
}

/** A clock that is before this was never set: this program is younger. 2026-01-01T00:00:00Z. */
const earliestClock = 1_767_225_600;

/**
 * Whether this host is to take what an authentic signature says, now.
 *
 * Time is the larger of the clock and the newest issue time that was kept. A clock that was never set says nothing;
 * there, time is the larger of the two issue times, so that only what is older than something kept can be expired,
 * and the serial alone keeps old configurations from coming back.
 * @throws UntrustedError: wrong audience, replayed, expired, not yet valid.
 */
export function judge(
  claims: SignatureClaims,
  record: Pick<TrustRecord, "serial" | "digest" | "issued_at" | "floor">,
  agent: Selectable,
  { clock, skew }: KnownTime,
): void {
  const { aud, serial, digest, iat, exp, nbf = iat } = claims;
  if (!fitsAudience(aud, agent)) throw new UntrustedError("wrong audience", `it is for ${aud.join(" or ")}`);
  if (serial < record.serial)
    throw new UntrustedError("replayed", `serial ${serial}, when ${record.serial} was kept before`);
  if (serial === record.serial && digest !== record.digest)
    throw new UntrustedError(
      "replayed",
      `serial ${serial} was another configuration's; sign it with a higher one`,
    );
  if (iat <= record.floor)
    throw new UntrustedError("replayed", "it was issued before agent.trust.config_keys was changed");
  const hasClock = clock >= earliestClock;
  const now = hasClock ? Math.max(clock, record.issued_at) : Math.max(iat, record.issued_at);
  if (exp + skew <= now) {
    const passing = exp + skew > record.issued_at && exp > iat;
    throw new UntrustedError("expired", `at ${timeText(exp)}; this host has ${timeText(now)}`, { passing });
  }
  const from = Math.max(iat, nbf);
  if (from - skew > now)
    throw new UntrustedError("not yet valid", `before ${timeText(from)}; this host has ${timeText(now)}`, {
      passing: true,
    });
}

function timeText(seconds: number): string {
  const date = new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? `${seconds} s` : date.toISOString();
}
