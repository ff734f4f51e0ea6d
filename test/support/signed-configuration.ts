import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { writeFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { type AgentRemoteConfig, AgentRemoteConfigSchema } from "../../src/opamp/messages.ts";
import { rotationContentType, signatureContentType } from "../../src/opamp/trust-entries.ts";
import { signStatement, toVerificationKey } from "../../src/supervisor/trust/jws.ts";
import { digestOfEntries, type Entries, toEntryText } from "../../src/supervisor/trust/signed-entries.ts";
import { type SignatureClaims, statementTypes } from "../../src/supervisor/trust/statement.ts";

/** Hashed as a server does it that knows nothing of signatures: over all entries. */
function withHash(entries: Entries): AgentRemoteConfig {
  const configHash = Buffer.from(
    digestOfEntries({ ...entries, " ": { body: joined(entries), contentType: "" } }),
  );
  return create(AgentRemoteConfigSchema, {
    config: { configMap: { ...entries } },
    configHash: new Uint8Array(configHash),
  });
}

const joined = (entries: Entries) =>
  new Uint8Array(Buffer.concat(Object.values(entries).map(({ body }) => body)));

const seconds = () => Math.floor(Date.now() / 1_000);

/** An administrator with a key pair. */
export class Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The highest that was used; each signature takes the next one. */
  serial = 0;

  constructor(kind: "ed25519" | "ec" | "rsa" = "ed25519") {
    const pair =
      kind === "ed25519"
        ? generateKeyPairSync("ed25519")
        : kind === "ec"
          ? generateKeyPairSync("ec", { namedCurve: "P-256" })
          : generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.privateKey = pair.privateKey;
    this.publicKey = pair.publicKey;
  }

  get pem(): string {
    return this.publicKey.export({ type: "spki", format: "pem" }).toString();
  }

  /** Writes the public key and gives its path back. */
  writeKey(path: string): string {
    writeFileSync(path, this.pem);
    return path;
  }

  /** The configuration with a signature over it; `claims` replace what a usual one says. */
  async sign(offer: AgentRemoteConfig, claims: Partial<SignatureClaims> = {}): Promise<AgentRemoteConfig> {
    const entries = offer.config?.configMap ?? {};
    this.serial = claims.serial ?? this.serial + 1;
    const iat = claims.iat ?? seconds();
    const usual: SignatureClaims = {
      digest: digestOfEntries(entries),
      aud: ["fleet"],
      iat,
      exp: iat + 3_600,
      serial: this.serial,
    };
    const jws = await signStatement(
      { ...usual, ...claims },
      { type: statementTypes.signature, privateKey: this.privateKey },
    );
    return withEntry(offer, "signature", { body: toEntryText(jws), contentType: signatureContentType });
  }

  /** The configuration with a rotation to the keys of others. */
  async rotate(
    offer: AgentRemoteConfig,
    to: readonly Signer[],
    { serial, name = "rotation", iat = seconds() }: { serial: number; name?: string; iat?: number },
  ): Promise<AgentRemoteConfig> {
    const keys = await Promise.all(to.map(async ({ publicKey }) => (await toVerificationKey(publicKey)).jwk));
    const claims = { keys, iat, serial };
    const jws = await signStatement(claims, { type: statementTypes.rotation, privateKey: this.privateKey });
    return withEntry(offer, name, { body: toEntryText(jws), contentType: rotationContentType });
  }
}

/** The configuration with one more entry, or with another in its place. */
export function withEntry(
  offer: AgentRemoteConfig,
  name: string,
  { body, contentType }: { body: string | Uint8Array; contentType: string },
): AgentRemoteConfig {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return withHash({ ...offer.config?.configMap, [name]: { body: bytes, contentType } });
}

/** The same entries, hashed. */
export function toOffer(entries: Entries): AgentRemoteConfig {
  return withHash(entries);
}
