import { create } from "@bufbuild/protobuf";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { ServerCapability } from "../bits.ts";
import { isUsableInstanceUid } from "../instance-uid.ts";
import {
  type AgentToServer,
  CustomCapabilitiesSchema,
  ServerErrorResponseType,
  type ServerToAgent,
  ServerToAgentSchema,
} from "../messages.ts";
import type { AgentConnection, EndpointHandlers, ServerToAgentInit } from "./contract.ts";
import type { EndpointSettings } from "./settings.ts";

/** An answer, and the message it answers if that could be read. */
export interface Answered {
  readonly answer: ServerToAgent;
  readonly message?: AgentToServer;
}

/**
 * Reads one message, has it handled and completes the answer. Never throws, and always answers (ST3):
 * BAD_REQUEST for what is malformed or has no usable `instance_uid` (SE2, SI4), UNKNOWN when the handler throws.
 */
export async function answerMessage<C>(
  connection: AgentConnection<C>,
  read: () => AgentToServer,
  { handlers, logger }: { handlers: EndpointHandlers<C>; logger: Logger },
): Promise<Answered> {
  let message: AgentToServer;
  try {
    message = read();
  } catch (error) {
    return { answer: badRequest(describeError(error)) };
  }
  if (!isUsableInstanceUid(message.instanceUid)) {
    return { answer: badRequest(describeBadUid(message.instanceUid)) };
  }
  try {
    const init = await handlers.onMessage(connection, message);
    return { answer: completeMessage(init, message.instanceUid), message };
  } catch (error) {
    logger.error(
      { event: "opamp_handler_failed", connection: connection.id, error: describeError(error) },
      "handling an agent's message failed; it was answered with an error",
    );
    return { answer: internalError(message.instanceUid), message };
  }
}

/** The message to send: `instance_uid` filled (SI1), and nothing beside an error (SS2). */
export function completeMessage(init: ServerToAgentInit, instanceUid: Uint8Array): ServerToAgent {
  // A copy: handlers may hand out the same prepared message many times.
  const message = create(ServerToAgentSchema, { ...init, instanceUid });
  const { errorResponse } = message;
  return errorResponse === undefined ? message : create(ServerToAgentSchema, { instanceUid, errorResponse });
}

/** Adds what the Agent has to learn once: the Server's capabilities (SS3) and, if `custom`, the custom ones. */
export function greet(message: ServerToAgent, options: EndpointSettings, custom: boolean): ServerToAgent {
  if (message.errorResponse !== undefined) return message;
  message.capabilities |= options.capabilities | ServerCapability.AcceptsStatus;
  const capabilities = [...options.customCapabilities];
  if (custom && capabilities.length > 0) {
    message.customCapabilities ??= create(CustomCapabilitiesSchema, { capabilities });
  }
  return message;
}

/** The bytes of a message; undefined, and a line in the log, when they are over the limit (SW3, SH4) or it cannot be encoded. */
export function encodeWithinLimit(
  message: ServerToAgent,
  encode: (message: ServerToAgent) => Uint8Array,
  connection: number,
  { maxMessageBytes, logger }: EndpointSettings,
): Uint8Array | undefined {
  try {
    const bytes = encode(message);
    if (bytes.length <= maxMessageBytes) return bytes;
    logger.error(
      { event: "opamp_message_too_large", connection, bytes: bytes.length, limit: maxMessageBytes },
      "a message to an agent is over the size limit and was not sent",
    );
  } catch (error) {
    logger.error(
      { event: "opamp_message_invalid", connection, error: describeError(error) },
      "a message to an agent cannot be encoded and was not sent",
    );
  }
  return undefined;
}

function badRequest(errorMessage: string): ServerToAgent {
  return errorAnswer(ServerErrorResponseType.ServerErrorResponseType_BadRequest, errorMessage.slice(0, 500));
}

/** Says nothing of the cause: that is for the log, not for the peer. */
export function internalError(instanceUid: Uint8Array): ServerToAgent {
  return errorAnswer(
    ServerErrorResponseType.ServerErrorResponseType_Unknown,
    "the server could not answer this message",
    instanceUid,
  );
}

/** Agents close the connection when told so, and wait for as long (SE3, AW13). */
export function unavailable(
  instanceUid: Uint8Array,
  retryAfterMs: number,
  errorMessage: string,
): ServerToAgent {
  const value = { retryAfterNanoseconds: BigInt(retryAfterMs) * 1_000_000n };
  const type = ServerErrorResponseType.ServerErrorResponseType_Unavailable;
  const errorResponse = { type, errorMessage, details: { case: "retryInfo" as const, value } };
  return create(ServerToAgentSchema, { instanceUid, errorResponse });
}

function errorAnswer(
  type: ServerErrorResponseType,
  errorMessage: string,
  instanceUid: Uint8Array = new Uint8Array(),
): ServerToAgent {
  return create(ServerToAgentSchema, { instanceUid, errorResponse: { type, errorMessage } });
}

function describeBadUid(uid: Uint8Array): string {
  const found = uid.length === 16 ? "16 zero bytes" : `${uid.length} bytes`;
  return `instance_uid must be 16 bytes that are not all zero, but it is ${found}`;
}
