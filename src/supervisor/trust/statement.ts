import * as z from "zod/mini";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import { parseSelector, type Selectable } from "../../opamp/selector.ts";

/** `typ` of the two kinds of statement, so that one can never be taken for the other. */
export const statementTypes = {
  signature: "opamp-config-signature+jwt",
  rotation: "opamp-config-key-rotation+jwt",
} as const;

const time = z.int().check(z.nonnegative());
const serial = z.int().check(z.positive());

/** What the signature of a configuration says. Times are seconds since the Unix epoch (RFC 7519). */
export const signatureSchema = z.strictObject({
  /** Of {@link digestOfEntries}. */
  digest: z.string(),
  /** Whom it is for; one that fits is enough. See {@link fitsAudience}. */
  aud: z.array(z.string()).check(z.minLength(1)),
  iat: time,
  exp: time,
  nbf: z.optional(time),
  serial,
});
export type SignatureClaims = z.infer<typeof signatureSchema>;

/** What gives a host other keys. */
export const rotationSchema = z.strictObject({
  /** All keys that count from then on, as JSON Web Keys. */
  keys: z.array(z.record(z.string(), z.unknown())).check(z.minLength(1)),
  iat: time,
  serial,
});
export type RotationClaims = z.infer<typeof rotationSchema>;

const uidPrefix = "urn:uuid:";
const selectorPrefix = "selector:";

/**
 * One audience, in its one spelling: `fleet` is every host that trusts the key, `urn:uuid:UID` one Agent, and
 * `selector:env=prod,region in (eu,us)` those whose own attributes fit.
 * @throws Error that says what is wrong with it.
 */
export function parseAudience(text: string): { text: string; fits(agent: Selectable): boolean } {
  if (text === "fleet") return { text, fits: () => true };
  if (text.startsWith(uidPrefix)) {
    const uid = parseInstanceUid(text.slice(uidPrefix.length));
    if (uid === undefined) throw new Error(`${text} names no instance UID`);
    const id = formatInstanceUid(uid);
    return { text: `${uidPrefix}${id}`, fits: (agent) => agent.id === id };
  }
  if (text.startsWith(selectorPrefix)) {
    const selector = parseSelector(text.slice(selectorPrefix.length));
    if (selector.text === "") throw new Error("an empty selector; write fleet for every host");
    if (selector.asksState) {
      throw new Error("a selector of capabilities or components; the host only compares uid and attributes");
    }
    return { text: `${selectorPrefix}${selector.text}`, fits: (agent) => selector.matches(agent) };
  }
  throw new Error(
    `${JSON.stringify(text)} is no audience: expected fleet, ${uidPrefix}UID or ${selectorPrefix}env=prod`,
  );
}

/** Whether one of the audiences is this Agent. One that cannot be read is nobody. */
export function fitsAudience(audiences: readonly string[], agent: Selectable): boolean {
  return audiences.some((text) => {
    try {
      return parseAudience(text).fits(agent);
    } catch {
      return false;
    }
  });
}
