import type { Message } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { limitFields } from "./field-limit.ts";
import { MalformedMessageError } from "./malformed-message.ts";

/**
 * One WebSocket frame: the header (a varint, always 0 today) and the message.
 * OpAMP specification, "WebSocket Message Format" (AW1).
 */
export function encodeFrame<T extends Message>(schema: GenMessage<T>, message: T): Uint8Array {
  const body = toBinary(schema, message);
  const frame = new Uint8Array(body.length + 1);
  frame.set(body, 1);
  return frame;
}

/**
 * Reverses {@link encodeFrame}. A frame of only the header is a valid empty message (AW3).
 * @throws MalformedMessageError when the header is not 0 (AW2), unfinished, or the rest does not parse.
 */
export function decodeFrame<T extends Message>(schema: GenMessage<T>, frame: Uint8Array): T {
  return decodeBody(schema, frame.subarray(headerLength(frame)));
}

/**
 * Parses a message without a header, as plain HTTP carries it (AH1).
 * @throws MalformedMessageError when it does not parse or has too many fields.
 */
export function decodeBody<T extends Message>(schema: GenMessage<T>, body: Uint8Array): T {
  if (body.length === 0) return create(schema) as T;
  // Of a Buffer, fields would be Buffers too, whose slice() is no copy.
  const bytes = new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  limitFields(schema, bytes);
  try {
    // What is unknown is ignored (AT12); kept, it would hold on to the whole frame.
    return fromBinary(schema, bytes, { readUnknownFields: false }) as T;
  } catch (cause) {
    throw new MalformedMessageError(`not a ${schema.name} message`, { cause });
  }
}

/** Bytes of the varint header; every value bit must be 0, however many bytes it is spread over. */
function headerLength(frame: Uint8Array): number {
  for (let index = 0; index < 10; index += 1) {
    const byte = frame[index];
    if (byte === undefined) throw new MalformedMessageError("the frame ends inside its header");
    if ((byte & 0x7f) !== 0) throw new MalformedMessageError("the frame header is not 0");
    if (byte < 0x80) return index + 1;
  }
  throw new MalformedMessageError("the frame header is longer than 10 bytes");
}
