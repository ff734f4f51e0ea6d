import type { IncomingMessage } from "node:http";
import { TLSSocket } from "node:tls";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import type { Admission } from "../../opamp/server/contract.ts";
import type { AddressList } from "./address-list.ts";
import { isSecret } from "./credential.ts";
import type { ApiKeys } from "./keys.ts";

/** By what an Agent was let in. */
export interface AgentIdentity {
  /** What is known of its certificate, when it was let in by one. */
  readonly certificate?: { readonly serial: string; readonly expiresAt: number };
  readonly by: "nothing" | "certificate" | "jwt" | "api-key";
  /** What can be revoked: the id of a key, the fingerprint of a certificate. */
  readonly credential: string | undefined;
  /** The only instance UID it may speak for, in canonical form; undefined: any. */
  readonly uid: string | undefined;
}

export interface AgentAccessOptions {
  keys: ApiKeys;
  /** Resolves to the subject of a good token, which is the Agent's instance UID; rejects any other. */
  verifyJwt: ((token: string) => Promise<string>) | undefined;
  /** Whether an Agent without credentials is refused. */
  required: boolean;
  addresses: AddressList | undefined;
  /** Whether a certificate counts no longer, by its fingerprint. */
  isRevoked: (fingerprint: string) => Promise<boolean>;
  log: Logger;
}

/** Decides which Agents are let in, by their certificate or their `Authorization` header. */
export class AgentAccess {
  readonly #options: AgentAccessOptions;

  constructor(options: AgentAccessOptions) {
    this.#options = options;
  }

  async admit(request: IncomingMessage): Promise<Admission<AgentIdentity>> {
    const { addresses, isRevoked, required } = this.#options;
    if (addresses?.includes(request.socket.remoteAddress ?? "") === false) {
      return {
        admit: false,
        status: 403,
        message: "this address may not come here (access.agents.addresses)",
      };
    }
    const { authorization } = request.headers;
    const certified = identityOfCertificate(request);
    if (certified?.credential !== undefined && (await isRevoked(certified.credential))) {
      return refused("the client certificate was revoked");
    }
    // Its own certificate says more than a token that many may share.
    if (certified?.uid !== undefined) return { admit: true, context: certified };
    if (authorization !== undefined) {
      const identity = await this.#identify(authorization);
      if (identity !== undefined) return { admit: true, context: identity };
      // A proxy on the way may have put its own header there: the certificate is proof enough.
      if (certified === undefined)
        return refused("the API key or token is not known, has expired or was revoked");
    }
    if (certified !== undefined) return { admit: true, context: certified };
    if (!required) return { admit: true, context: { by: "nothing", credential: undefined, uid: undefined } };
    return refused("send a client certificate, or an API key or token: Authorization: Bearer ...");
  }

  async #identify(authorization: string): Promise<AgentIdentity | undefined> {
    const { keys, verifyJwt, log, required } = this.#options;
    const [, token = ""] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (isSecret(token)) {
      const key = await keys.verify(token);
      if (key?.role !== "agent" || !(await keys.use(key))) return undefined;
      return { by: "api-key", credential: key.id, uid: undefined };
    }
    if (verifyJwt === undefined) {
      // Headers that nobody here asked for are no reason to keep an Agent out that needs none.
      return required ? undefined : { by: "nothing", credential: undefined, uid: undefined };
    }
    try {
      const subject = parseInstanceUid(await verifyJwt(token));
      if (subject === undefined) throw new Error("the subject of the token is no instance UID");
      return { by: "jwt", credential: undefined, uid: formatInstanceUid(subject) };
    } catch (error) {
      log.info({ event: "agent_token_refused", error: describeError(error) }, "an agent's token was refused");
      return undefined;
    }
  }
}

function refused(message: string): Admission<AgentIdentity> {
  return { admit: false, status: 401, message, headers: { "www-authenticate": "Bearer" } };
}

/** The listener took only certificates of its authority; one that names an instance UID is bound to it. */
function identityOfCertificate({ socket }: IncomingMessage): AgentIdentity | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const { fingerprint256, serialNumber, subject, valid_to } = socket.getPeerCertificate();
  if (fingerprint256 === undefined) return undefined;
  const named = parseInstanceUid(String(subject?.CN ?? ""));
  return {
    by: "certificate",
    credential: fingerprint256.replaceAll(":", "").toLowerCase(),
    uid: named === undefined ? undefined : formatInstanceUid(named),
    certificate: { serial: serialNumber.toLowerCase(), expiresAt: Date.parse(valid_to) },
  };
}
