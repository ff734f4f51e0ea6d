import { readFile, writeFile } from "node:fs/promises";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import { authenticate } from "../../supervisor/trust/authenticate.ts";
import { judge } from "../../supervisor/trust/judge.ts";
import { signStatement } from "../../supervisor/trust/jws.ts";
import { digestOfEntries, toEntryText } from "../../supervisor/trust/signed-entries.ts";
import {
  parseAudience,
  type RotationClaims,
  type SignatureClaims,
  statementTypes,
} from "../../supervisor/trust/statement.ts";
import { noTrustRecord } from "../../supervisor/trust/trust-record.ts";
import { UsageError } from "../command-line.ts";
import { entryOptions, readEntries, toRequestBody, withSignature } from "./entries.ts";
import { keyAlgorithms, makeKeyPair, readPrivateKey, readPublicKeys } from "./key-files.ts";
import { parseOptions, parsePair, parseSerial, parseSpan, parseTime } from "./options.ts";

/** One of `opamp-supervisor keys`: what it prints. @throws UsageError, Error for people, UntrustedError */
export type KeysCommand = (args: readonly string[], now: number) => Promise<string>;

const generate: KeysCommand = async (args) => {
  const options = parseOptions(args, ["key", "algorithm"]);
  none(options.positionals);
  const wanted = options.text("algorithm") ?? "EdDSA";
  const algorithm = keyAlgorithms.find((known) => known === wanted);
  if (algorithm === undefined)
    throw new UsageError(`--algorithm ${wanted}: expected one of ${keyAlgorithms.join(", ")}`);
  const path = options.required("key");
  const id = await makeKeyPair(path, algorithm);
  return `${path}: private key, keep it; ${path}.pub: public key ${id}, for agent.trust.config_keys`;
};

const sign: KeysCommand = async (args, now) => {
  const options = parseOptions(args, [
    ...["key", "audience", "expires-in", "not-before", "serial", "signature", "body"],
    ...entryOptions,
  ] as const);
  const key = options.required("key");
  const signature = options.required("signature");
  const body = options.text("body");
  const aud = options.list("audience").map(readAudience);
  if (aud.length === 0)
    throw new UsageError("--audience is missing: fleet, urn:uuid:UID or selector:env=prod");
  const notBefore = options.text("not-before");
  const nbf = notBefore === undefined ? undefined : parseTime(notBefore);
  const exp = Math.max(now, nbf ?? now) + parseSpan(options.required("expires-in"));
  const entries = await readEntries(options);
  const claims: SignatureClaims = {
    digest: digestOfEntries(entries),
    aud,
    iat: now,
    exp,
    ...(nbf !== undefined && { nbf }),
    serial: parseSerial(options.text("serial"), now),
  };
  const privateKey = await readPrivateKey(key);
  const text = toEntryText(await signStatement(claims, { type: statementTypes.signature, privateKey }));
  await writeFile(signature, text);
  if (body !== undefined) await writeFile(body, toRequestBody(withSignature(entries, Buffer.from(text))));
  return `${signature}: serial ${claims.serial}, for ${claims.aud.join(" or ")}, until ${toIso(exp)}`;
};

const verify: KeysCommand = async (args, now) => {
  const options = parseOptions(args, [
    ...["public-key", "signature", "instance-uid", "label"],
    ...entryOptions,
  ] as const);
  const paths = options.list("public-key");
  if (paths.length === 0) throw new UsageError("--public-key is missing");
  const signature = new Uint8Array(await readFile(options.required("signature")));
  const entries = withSignature(await readEntries(options), signature);
  const keys = await readPublicKeys(paths);
  const { claims, signer } = await authenticate(entries, keys, noTrustRecord);
  const labels = Object.fromEntries(options.list("label").map((text) => parsePair(text, "label")));
  const uid = options.text("instance-uid");
  if (uid !== undefined) judge(claims, noTrustRecord, { id: readUid(uid), labels }, { clock: now, skew: 0 });
  const { aud, serial, iat, nbf, exp } = claims;
  const from = nbf === undefined ? "" : `, valid from ${toIso(nbf)}`;
  return `signed by ${signer.id}, serial ${serial}, for ${aud.join(" or ")}, issued ${toIso(iat)}${from}, until ${toIso(exp)}`;
};

const rotate: KeysCommand = async (args, now) => {
  const options = parseOptions(args, ["key", "public-key", "serial", "rotation"]);
  none(options.positionals);
  const paths = options.list("public-key");
  const [file, ...more] = options.list("rotation");
  if (paths.length === 0) throw new UsageError("--public-key is missing: the keys that count from then on");
  if (file === undefined || more.length > 0) throw new UsageError("expected one --rotation FILE to write");
  const privateKey = await readPrivateKey(options.required("key"));
  const keys = await readPublicKeys(paths);
  const claims: RotationClaims = {
    keys: keys.map(({ jwk }) => ({ ...jwk })),
    iat: now,
    serial: parseSerial(options.text("serial"), now),
  };
  const jws = await signStatement(claims, { type: statementTypes.rotation, privateKey });
  await writeFile(file, toEntryText(jws));
  return `${file}: serial ${claims.serial}, the keys that count then: ${keys.map(({ id }) => id).join(", ")}`;
};

export const keysCommands: Readonly<Record<string, KeysCommand>> = { generate, sign, verify, rotate };

function none(positionals: readonly string[]): void {
  if (positionals.length > 0) throw new UsageError(`unexpected "${positionals.join(" ")}"`);
}

function readAudience(text: string): string {
  try {
    return parseAudience(text).text;
  } catch (error) {
    throw new UsageError(`--audience: ${(error as Error).message}`);
  }
}

function readUid(text: string): string {
  const uid = parseInstanceUid(text);
  if (uid === undefined) throw new UsageError(`--instance-uid ${text}: expected a UUID`);
  return formatInstanceUid(uid);
}

const toIso = (seconds: number) => new Date(seconds * 1_000).toISOString();
