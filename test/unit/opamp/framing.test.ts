import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { decodeBody, decodeFrame, encodeFrame } from "../../../src/opamp/framing.ts";
import { MalformedMessageError } from "../../../src/opamp/malformed-message.ts";
import { ServerToAgentSchema } from "../../../src/opamp/messages.ts";

const message = create(ServerToAgentSchema, { instanceUid: new Uint8Array(16).fill(7), capabilities: 3n });

describe("encodeFrame", () => {
  it("AW1 puts one zero byte before the message", () => {
    const frame = encodeFrame(ServerToAgentSchema, message);
    expect(frame[0]).toBe(0);
    expect(frame.subarray(1)).toEqual(toBinary(ServerToAgentSchema, message));
  });
});

describe("decodeFrame", () => {
  it("AW1 reads a header of zero spread over several bytes", () => {
    const body = toBinary(ServerToAgentSchema, message);
    const frame = new Uint8Array([0x80, 0x80, 0x00, ...body]);
    expect(decodeFrame(ServerToAgentSchema, frame)).toEqual(message);
  });

  it("AW3 reads a frame of only the header as an empty message", () => {
    expect(decodeFrame(ServerToAgentSchema, new Uint8Array([0]))).toEqual(create(ServerToAgentSchema));
  });

  it.each([
    ["AW2 a header that is not 0", [0x01, 0x0a]],
    ["AW2 a value hidden behind a continuation", [0x80, 0x01]],
    ["a frame without a header", []],
    ["an unfinished header", [0x80, 0x80]],
    ["a header of more than 10 bytes", [...new Array<number>(11).fill(0x80), 0x00]],
    ["a message that does not parse", [0x00, 0x0a, 0x7f]],
  ])("refuses %s", (_name, bytes) => {
    expect(() => decodeFrame(ServerToAgentSchema, new Uint8Array(bytes))).toThrow(MalformedMessageError);
  });
});

describe("decodeBody", () => {
  it("AH1 reads a message without a header, also an empty one", () => {
    expect(decodeBody(ServerToAgentSchema, toBinary(ServerToAgentSchema, message))).toEqual(message);
    expect(decodeBody(ServerToAgentSchema, new Uint8Array())).toEqual(create(ServerToAgentSchema));
  });

  it("AT12 ignores fields it does not know", () => {
    // Field 1000, varint 1.
    const body = new Uint8Array([...toBinary(ServerToAgentSchema, message), 0xc0, 0x3e, 0x01]);
    expect(decodeBody(ServerToAgentSchema, body).capabilities).toBe(3n);
  });

  it("names the message that did not parse", () => {
    expect(() => decodeBody(ServerToAgentSchema, new Uint8Array([0x0a, 0x7f]))).toThrow(/ServerToAgent/);
  });
});
