import { decodeBody, decodeFrame } from "../framing.ts";
import { type AgentToServer, AgentToServerSchema } from "../messages.ts";
import { limitFields } from "./field-limit.ts";

/**
 * Reads what came over plain HTTP.
 * @throws MalformedMessageError when it is no message or has too many fields.
 */
export function readBodyMessage(body: Uint8Array): AgentToServer {
  const bytes = plainBytes(body);
  limitFields(AgentToServerSchema, bytes);
  return decodeBody(AgentToServerSchema, bytes);
}

/**
 * Reads a WebSocket frame.
 * @throws MalformedMessageError when it is no message or has too many fields.
 */
export function readFrameMessage(frame: Uint8Array): AgentToServer {
  const bytes = plainBytes(frame);
  limitFields(AgentToServerSchema, bytes.subarray(bytes.findIndex((byte) => byte < 0x80) + 1));
  return decodeFrame(AgentToServerSchema, bytes);
}

/**
 * The same bytes without Buffer's prototype. Parts of a decoded message are views into what it was decoded
 * from, and only a plain Uint8Array's `slice` copies.
 */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
