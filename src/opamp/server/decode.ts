import { decodeBody, decodeFrame } from "../framing.ts";
import { type AgentToServer, AgentToServerSchema } from "../messages.ts";
import { limitFields } from "./field-limit.ts";

/**
 * Reads what came over plain HTTP.
 * @throws MalformedMessageError when it is no message or has too many fields.
 */
export function readBodyMessage(body: Uint8Array): AgentToServer {
  limitFields(AgentToServerSchema, body);
  return decodeBody(AgentToServerSchema, body);
}

/**
 * Reads a WebSocket frame.
 * @throws MalformedMessageError when it is no message or has too many fields.
 */
export function readFrameMessage(frame: Uint8Array): AgentToServer {
  limitFields(AgentToServerSchema, frame.subarray(frame.findIndex((byte) => byte < 0x80) + 1));
  return decodeFrame(AgentToServerSchema, frame);
}
