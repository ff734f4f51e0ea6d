import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { AgentCapability, hasBits } from "../../opamp/bits.ts";
import { type AgentToServer, ServerErrorResponseType } from "../../opamp/messages.ts";
import type { ServerToAgentInit } from "../../opamp/server/contract.ts";
import type { Agent, Connection } from "../fleet/agent.ts";
import type { Fleet } from "../fleet/fleet.ts";
import { type CertificateOfferOptions, certificateOffer, type OfferPart } from "./certificate-offer.ts";
import type { CertificateRequestRow } from "./certificate-rows.ts";
import type { IssuedCertificate, Issuing, RequestResult } from "./issuing.ts";
import type { CertificateRegister } from "./register.ts";

export interface CertificatesOptions {
  /** Undefined: no authority is set up. */
  issuing: { issuing: Issuing; authority: string } | undefined;
  register: CertificateRegister;
  fleet: Pick<Fleet, "get">;
  offer: CertificateOfferOptions;
  log: Logger;
}

/** How long an Agent is told to wait that asks too much. */
const retryAfterNanoseconds = 600_000_000_000n;

/** The part of the conversations with Agents that is about their certificates. */
export class Certificates {
  readonly #options: CertificatesOptions;
  /** Issued while the Agent could not be reached, by instance UID: goes with the next answer to it. */
  readonly #waiting = new Map<string, IssuedCertificate>();

  constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  /** What the answer to a message says about certificates; `error` stands alone (SS2). */
  async answerTo(
    agent: Agent,
    connection: Connection,
    message: AgentToServer,
  ): Promise<{ part: OfferPart } | { error: ServerToAgentInit }> {
    const { register, log } = this.#options;
    try {
      await register.spoke(connection.context);
      if (message.connectionSettingsStatus !== undefined) {
        await register.answered(agent.id, message.connectionSettingsStatus);
      }
    } catch (error) {
      log.error({ event: "certificate_note_failed", error: describeError(error) }, "could not be noted");
    }
    const csr = message.connectionSettingsRequest?.opamp?.certificateRequest?.csr;
    if (csr !== undefined) return await this.#answerRequest(agent, connection, csr);
    const waiting = this.#waiting.get(agent.id);
    if (waiting === undefined) return { part: {} };
    this.#waiting.delete(agent.id);
    return { part: this.#offer(waiting, connection) };
  }

  /** Issues what a person has approved, and brings it to the Agent; undefined when it was decided already. */
  async approve(
    request: CertificateRequestRow,
    by: string,
    reason: string,
  ): Promise<RequestResult | undefined> {
    const result = await this.#options.issuing?.issuing.approve(request, by, reason);
    if (result?.t === "issued") this.deliver(request.instance_uid, result.certificate);
    return result;
  }

  /** Offers a certificate now, or with the next answer. */
  deliver(instanceUid: string, certificate: IssuedCertificate): void {
    const presence = this.#options.fleet.get(instanceUid)?.presence;
    if (presence?.t === "websocket") {
      const { connection } = presence;
      if (connection.send(this.#offer(certificate, connection))) return;
    }
    this.#waiting.set(instanceUid, certificate);
  }

  async #answerRequest(agent: Agent, connection: Connection, csr: Uint8Array) {
    const { issuing } = this.#options;
    if (issuing === undefined) return refusal("this server issues no certificates");
    if (!hasBits(agent.state.capabilities, AgentCapability.AcceptsOpAMPConnectionSettings)) {
      return refusal("a certificate cannot be offered without the capability AcceptsOpAMPConnectionSettings");
    }
    const { context: identity, remoteAddress } = connection;
    const result = await issuing.issuing.request(csr, { identity, instanceUid: agent.id, remoteAddress });
    switch (result.t) {
      case "issued":
        return { part: this.#offer(result.certificate, connection) };
      case "pending":
        return { part: {} };
      case "refused":
        this.#options.log.warn(
          { event: "certificate_refused", agent_id: agent.id, reason: result.reason },
          "a request for a certificate was refused",
        );
        return refusal(`certificate request: ${result.reason}`);
      case "later":
        return unavailable(`certificate request: ${result.reason}`);
    }
  }

  #offer({ fingerprint, pem }: IssuedCertificate, connection: Connection): OfferPart {
    const authority = this.#options.issuing?.authority ?? "";
    return certificateOffer({ fingerprint, pem, authority }, connection, this.#options.offer);
  }
}

function refusal(errorMessage: string): { error: ServerToAgentInit } {
  const type = ServerErrorResponseType.ServerErrorResponseType_BadRequest;
  return { error: { errorResponse: { type, errorMessage } } };
}

function unavailable(errorMessage: string): { error: ServerToAgentInit } {
  const type = ServerErrorResponseType.ServerErrorResponseType_Unavailable;
  const details = { case: "retryInfo" as const, value: { retryAfterNanoseconds } };
  return { error: { errorResponse: { type, errorMessage, details } } };
}
