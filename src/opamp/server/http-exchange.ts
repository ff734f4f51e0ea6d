import type { IncomingMessage, ServerResponse } from "node:http";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { describeError } from "../../foundation/errors.ts";
import { decodeBody } from "../framing.ts";
import { MalformedMessageError } from "../malformed-message.ts";
import { AgentToServerSchema, ServerErrorResponseType, type ServerToAgent } from "../messages.ts";
import { answerMessage, encodeWithinLimit, greet, internalError } from "./answer.ts";
import type { AgentConnection, EndpointHandlers } from "./contract.ts";
import { encodeServerToAgent } from "./encode-message.ts";
import { BodyTooLargeError, readBody } from "./http-body.ts";
import { acceptsGzip, mediaType, requestEncoding } from "./http-headers.ts";
import { refuse } from "./refuse.ts";
import type { EndpointSettings } from "./settings.ts";

const protobufMediaType = "application/x-protobuf";

/** Below this gzip makes a message longer. Bytes. */
const gzipThreshold = 128;

/** What is wrong with a request before its body is looked at, as an answer; undefined when nothing is. */
export function checkHeaders(
  request: IncomingMessage,
): { status: number; message: string; headers?: Record<string, string> } | undefined {
  const expected = `POST an AgentToServer message with Content-Type: ${protobufMediaType}, or open a WebSocket`;
  if (request.method !== "POST") return { status: 405, message: expected, headers: { allow: "POST" } };
  if (mediaType(request.headers["content-type"]) !== protobufMediaType) {
    return { status: 415, message: expected, headers: { accept: protobufMediaType } };
  }
  if (requestEncoding(request.headers["content-encoding"]) === undefined) {
    return {
      status: 415,
      message: "the Content-Encoding must be gzip or identity",
      headers: { "accept-encoding": "gzip, identity" },
    };
  }
  return undefined;
}

/** One message over plain HTTP: reads it, has it handled, answers. The headers must be checked already. */
export async function serveExchange<C>(
  request: IncomingMessage,
  response: ServerResponse,
  identity: { id: number; context: C },
  settings: EndpointSettings,
  handlers: EndpointHandlers<C>,
): Promise<void> {
  const { logger, maxMessageBytes } = settings;
  const encoding = requestEncoding(request.headers["content-encoding"]) ?? "identity";
  let body: Uint8Array | undefined;
  let malformed: MalformedMessageError | undefined;
  try {
    body = await readBody(request, encoding, maxMessageBytes);
  } catch (error) {
    if (error instanceof BodyTooLargeError) return refuse(request, response, 413, error.message, settings);
    if (!(error instanceof MalformedMessageError)) {
      const fields = { event: "opamp_request_aborted", error: describeError(error) };
      logger.debug(fields, "an agent's request ended early");
      return;
    }
    malformed = error;
  }
  // The deadline passed while the body came.
  if (response.headersSent) return;

  const connection = httpConnection(request, identity);
  const read = () => {
    if (body === undefined) throw malformed;
    return decodeBody(AgentToServerSchema, body);
  };
  const { answer, message } = await answerMessage(connection, read, { handlers, logger });
  if (message === undefined) {
    const reason = answer.errorResponse?.errorMessage;
    logger.warn(
      { event: "opamp_message_malformed", remote_address: connection.remoteAddress, reason },
      "a malformed message was answered with BAD_REQUEST",
    );
  }
  // HTTP has no connection to remember a first answer by, so every answer says what the Server can do.
  const greeted = greet(answer, settings, message?.agentDescription !== undefined);
  await respond(request, response, greeted, connection.id, settings);
  handlers.onSent?.(greeted);
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: ServerToAgent,
  connection: number,
  settings: EndpointSettings,
): Promise<void> {
  const encode = (message: ServerToAgent) => encodeServerToAgent(message, 0);
  const bytes = encodeWithinLimit(answer, encode, connection, settings);
  const sent = bytes === undefined ? internalError(answer.instanceUid) : answer;
  const plain = bytes ?? encode(sent);
  const packed =
    plain.length >= gzipThreshold && acceptsGzip(request.headers["accept-encoding"]?.toString())
      ? await promisify(gzip)(plain)
      : undefined;
  const body = packed ?? plain;
  response.writeHead(statusOf(sent), {
    "content-type": protobufMediaType,
    "content-length": body.length,
    ...(packed === undefined ? {} : { "content-encoding": "gzip" }),
    ...retryAfter(sent),
  });
  response.end(body);
  const { clock, handshakeTimeoutMs } = settings;
  const tooSlow = clock.setTimer(handshakeTimeoutMs, () => response.destroy());
  response.once("close", () => tooSlow.cancel());
}

/** Clients that do not read bodies of errors act on the status alone (SE2, SE4). */
function statusOf({ errorResponse }: ServerToAgent): number {
  if (errorResponse === undefined) return 200;
  if (errorResponse.type === ServerErrorResponseType.ServerErrorResponseType_BadRequest) return 400;
  return errorResponse.type === ServerErrorResponseType.ServerErrorResponseType_Unavailable ? 503 : 500;
}

function retryAfter({ errorResponse }: ServerToAgent): Record<string, string> {
  if (errorResponse?.details.case !== "retryInfo") return {};
  const nanoseconds = errorResponse.details.value.retryAfterNanoseconds;
  return { "retry-after": String((nanoseconds + 999_999_999n) / 1_000_000_000n) };
}

function httpConnection<C>(
  request: IncomingMessage,
  { id, context }: { id: number; context: C },
): AgentConnection<C> {
  return {
    id,
    context,
    transport: "http",
    remoteAddress: request.socket.remoteAddress ?? "",
    headers: request.headers,
    send: () => false,
    close: () => undefined,
    ping: () => Promise.reject(new Error("an HTTP agent cannot be pinged")),
  };
}
