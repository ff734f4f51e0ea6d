import { describeError, errorCode } from "../../foundation/errors.ts";

const ofTime: ReadonlySet<string | undefined> = new Set(["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"]);

/**
 * A certificate that is refused for its dates may be right, and the clock of this host wrong, as on a device that
 * starts in 1970: the error says so. `now` in milliseconds since the Unix epoch.
 */
export function namingTheClock(error: Error, now: number): Error {
  if (!ofTime.has(errorCode(error))) return error;
  const hint = `the clock of this host says ${new Date(now).toISOString()}; if that is wrong, set it right`;
  return Object.assign(new Error(`${describeError(error)}: ${hint}`), { code: errorCode(error) });
}
