import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";

/** Tokens that Agents come with: `sub` is the instance UID. */
export interface AgentJwtSettings {
  issuer: string | undefined;
  audience: string | undefined;
  /** A shared secret, for HS256. */
  secretFile: string | undefined;
  /** A public key in PEM, for RS256 or ES256. */
  publicKeyFile: string | undefined;
  /** Keys that an issuer publishes, for RS256 or ES256. */
  jwksUrl: string | undefined;
}

/** Bytes; RFC 7518, section 3.2. */
const minSecretBytes = 32;

/**
 * Verifies signature, `exp`, and where set `iss` and `aud`, and resolves to `sub`.
 * @throws Error that names the setting, when its file cannot be used.
 */
export function agentJwtVerifier(settings: AgentJwtSettings): (token: string) => Promise<string> {
  const { issuer, audience, secretFile, publicKeyFile, jwksUrl } = settings;
  const key = keyOf({ secretFile, publicKeyFile });
  const algorithms = secretFile === undefined ? ["RS256", "ES256"] : ["HS256"];
  const claims = {
    algorithms,
    requiredClaims: ["exp", "sub"],
    clockTolerance: 60,
    ...(issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  };
  let published: ReturnType<typeof import("jose").createRemoteJWKSet> | undefined;
  return async (token) => {
    const { createRemoteJWKSet, jwtVerify } = await import("jose");
    if (key !== undefined) return (await jwtVerify(token, key, claims)).payload.sub ?? "";
    published ??= createRemoteJWKSet(new URL(jwksUrl ?? ""));
    return (await jwtVerify(token, published, claims)).payload.sub ?? "";
  };
}

function keyOf({ secretFile, publicKeyFile }: Pick<AgentJwtSettings, "secretFile" | "publicKeyFile">) {
  if (secretFile !== undefined) {
    const secret = Buffer.from(readFileSync(secretFile, "utf8").trim());
    if (secret.length >= minSecretBytes) return secret;
    throw new Error(`access.agents.jwt.secret_file: ${secretFile} has fewer than ${minSecretBytes} bytes`);
  }
  return publicKeyFile === undefined ? undefined : createPublicKey(readFileSync(publicKeyFile));
}
