import type { AgentConnection } from "../../opamp/server/contract.ts";
import type { AgentIdentity } from "./agents.ts";

/** RFC 6455: the peer broke a rule. */
const policyViolation = 1008;

/** The WebSockets that each credential opened, so that they end with it. */
export class LiveCredentials {
  readonly #connections = new Map<string, Set<AgentConnection<AgentIdentity>>>();

  opened(connection: AgentConnection<AgentIdentity>): void {
    const { credential } = connection.context;
    if (credential === undefined) return;
    const those = this.#connections.get(credential) ?? new Set();
    this.#connections.set(credential, those.add(connection));
  }

  closed(connection: AgentConnection<AgentIdentity>): void {
    const { credential = "" } = connection.context;
    const those = this.#connections.get(credential);
    those?.delete(connection);
    if (those?.size === 0) this.#connections.delete(credential);
  }

  /** Closes what a credential opened. */
  revoke(credential: string): void {
    for (const connection of this.#connections.get(credential) ?? []) {
      connection.close(policyViolation, "the credential was revoked");
    }
  }
}
