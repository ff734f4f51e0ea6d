import type { JWTPayload } from "jose";
import type { Identity } from "./identity.ts";
import { type Role, roles } from "./role.ts";

/** Tokens of an OpenID Connect issuer that people come with. */
export interface OidcSettings {
  /** Of OpenID Connect Discovery 1.0, without /.well-known/openid-configuration. */
  issuer: string;
  audience: string;
  /** The claim that lists the groups of somebody. */
  groupsClaim: string;
  /** The groups that have each role. */
  roles: Readonly<Record<Role, readonly string[]>>;
}

/** Only asymmetric ones: a shared secret has no place in a key set that anybody may read. */
const algorithms = ["RS256", "ES256", "EdDSA", "PS256"];

type Verify = (token: string) => Promise<Identity>;

/**
 * Verifies tokens by the issuer's published keys, which are fetched when the first token comes.
 * The verifier throws for a token that is not good, and for one whose groups have no role here.
 */
export function oidcVerifier({ issuer, audience, groupsClaim, roles: groupsOf }: OidcSettings): Verify {
  let ready: ReturnType<typeof open> | undefined;
  const open = async () => {
    const { createRemoteJWKSet, jwtVerify } = await import("jose");
    const keys = createRemoteJWKSet(new URL(await keySetOf(issuer)));
    return (token: string) => jwtVerify(token, keys, { issuer, audience, algorithms, clockTolerance: 60 });
  };
  return async (token) => {
    ready ??= open();
    const verify = await ready.catch((error: unknown) => {
      // The issuer may be back for the next one.
      ready = undefined;
      throw error;
    });
    const { payload } = await verify(token);
    return { name: nameOf(payload), role: roleOf(payload[groupsClaim], groupsOf), by: "oidc" };
  };
}

async function keySetOf(issuer: string): Promise<string> {
  const place = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const answer = await fetch(place, { redirect: "error", signal: AbortSignal.timeout(10_000) });
  if (!answer.ok) throw new Error(`${place} answered ${answer.status}`);
  const found = (await answer.json()) as { jwks_uri?: unknown; issuer?: unknown };
  if (found.issuer !== issuer) throw new Error(`${place} is of another issuer`);
  if (typeof found.jwks_uri !== "string") throw new Error(`${place} names no jwks_uri`);
  return found.jwks_uri;
}

function nameOf({ email, preferred_username, sub }: JWTPayload): string {
  for (const name of [email, preferred_username, sub])
    if (typeof name === "string" && name !== "") return name;
  throw new Error("the token has no subject");
}

function roleOf(claimed: unknown, groupsOf: OidcSettings["roles"]): Role {
  const groups = Array.isArray(claimed) ? claimed : [claimed];
  const role = roles.toReversed().find((each) => groupsOf[each].some((group) => groups.includes(group)));
  if (role === undefined) throw new Error("none of the token's groups has a role here (access.oidc.roles)");
  return role;
}
