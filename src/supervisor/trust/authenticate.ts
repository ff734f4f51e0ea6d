import { describeError } from "../../foundation/errors.ts";
import { rotationContentType, signatureContentType } from "../../opamp/trust-entries.ts";
import { fromJwk, type VerificationKey, verifyStatement } from "./jws.ts";
import { digestOfEntries, type Entries, fromEntryText } from "./signed-entries.ts";
import {
  type RotationClaims,
  rotationSchema,
  type SignatureClaims,
  signatureSchema,
  statementTypes,
} from "./statement.ts";
import type { TrustRecord } from "./trust-record.ts";
import { UntrustedError } from "./untrusted-error.ts";

/** A configuration that was signed by a key that counts, and which keys count with it. */
export interface Authentic {
  claims: SignatureClaims;
  signer: VerificationKey;
  rotation: RotationClaims | undefined;
}

/**
 * Finds who signed a configuration, over all of its entries. `keys` count before it; a rotation among the entries that
 * one of them signed adds those that count after it. A rotation by a key that does not count is none: it was for
 * hosts that have not made it yet.
 * @throws UntrustedError: unsigned, altered, unknown key.
 */
export async function authenticate(
  entries: Entries,
  keys: readonly VerificationKey[],
  record: Pick<TrustRecord, "rotation" | "floor">,
): Promise<Authentic> {
  const statement = statementOf(entries);
  const rotated = await rotate(entries, keys, record);
  const acceptable = [...keys, ...rotated.keys];
  const verified = await verifyStatement(statement, { type: statementTypes.signature, keys: acceptable });
  if (verified.t === "unknown-key")
    throw new UntrustedError("unknown key", `it is signed by the key ${verified.id}`);
  if (verified.t === "altered") throw new UntrustedError("altered", verified.because);
  const { data: claims } = signatureSchema.safeParse(verified.payload);
  if (claims === undefined)
    throw new UntrustedError("altered", "the signature does not say what one has to say");
  if (claims.digest !== digestOfEntries(entries))
    throw new UntrustedError("altered", "the entries are not those that were signed");
  return { claims, signer: verified.signer, rotation: rotated.rotation };
}

function statementOf(entries: Entries): string {
  const [signature, ...others] = Object.values(entries).filter(
    ({ contentType }) => contentType === signatureContentType,
  );
  if (signature === undefined)
    throw new UntrustedError("unsigned", `it has no entry of the content type ${signatureContentType}`);
  if (others.length > 0) throw new UntrustedError("altered", "it has more than one signature");
  const jws = fromEntryText(signature.body);
  if (jws === undefined) throw new UntrustedError("altered", "the entry of the signature holds none");
  return jws;
}

interface Rotated {
  rotation: RotationClaims | undefined;
  /** Every key that a rotation on the way has named. */
  keys: readonly VerificationKey[];
}

/** Follows rotations from key to key, whatever order they stand in. */
async function rotate(
  entries: Entries,
  keys: readonly VerificationKey[],
  { rotation: known, floor }: Pick<TrustRecord, "rotation" | "floor">,
): Promise<Rotated> {
  const statements = Object.values(entries)
    .filter(({ contentType }) => contentType === rotationContentType)
    .map(({ body }) => {
      const statement = fromEntryText(body);
      if (statement === undefined) throw new UntrustedError("altered", "the entry of a rotation holds none");
      return statement;
    });
  let [result, current]: [Rotated, readonly VerificationKey[]] = [{ rotation: undefined, keys: [] }, keys];
  for (let goOn = true; goOn; ) {
    goOn = false;
    for (const statement of statements) {
      const claims = await rotationBy(statement, current);
      if (claims === undefined || claims.serial <= (result.rotation?.serial ?? known) || claims.iat <= floor)
        continue;
      current = await keysOf(claims);
      result = { rotation: claims, keys: [...result.keys, ...current] };
      goOn = true;
    }
  }
  return result;
}

/** @throws UntrustedError: altered. */
export async function keysOf({ keys }: Pick<RotationClaims, "keys">): Promise<VerificationKey[]> {
  try {
    return await Promise.all(keys.map((jwk) => fromJwk(jwk)));
  } catch (error) {
    throw new UntrustedError("altered", `a rotation names what is no key: ${describeError(error)}`);
  }
}

/** undefined when no key that counts has signed it. @throws UntrustedError: altered. */
async function rotationBy(
  statement: string,
  keys: readonly VerificationKey[],
): Promise<RotationClaims | undefined> {
  const verified = await verifyStatement(statement, { type: statementTypes.rotation, keys });
  if (verified.t === "unknown-key") return undefined;
  if (verified.t === "altered") throw new UntrustedError("altered", `of a rotation: ${verified.because}`);
  const { data } = rotationSchema.safeParse(verified.payload);
  if (data === undefined) throw new UntrustedError("altered", "a rotation does not say what one has to say");
  return data;
}
