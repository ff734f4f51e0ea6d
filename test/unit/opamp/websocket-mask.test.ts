import { describe, expect, it } from "vitest";
import { mask, unmask } from "../../../src/opamp/websocket-mask.ts";

const maskBytes = Uint8Array.of(0x12, 0x34, 0x56, 0xff);

/** As RFC 6455, section 5.3 says it. */
const expected = (bytes: Uint8Array) => bytes.map((byte, index) => byte ^ (maskBytes[index % 4] ?? 0));

describe("the mask of WebSocket frames (RFC 6455, section 5.3)", () => {
  it.each([0, 1, 2, 3, 4, 5])(
    "comes off whatever the place in memory, here %i bytes behind a word",
    (offset) => {
      for (const length of [0, 1, 3, 4, 7, 31, 1_000]) {
        const bytes = Uint8Array.from({ length }, (_, index) => index * 7);
        const memory = new Uint8Array(offset + length + 5).fill(9);
        memory.set(bytes, offset);
        unmask(memory.subarray(offset, offset + length), maskBytes);
        expect(memory.subarray(offset, offset + length)).toEqual(expected(bytes));
        expect(
          [...memory.subarray(0, offset), ...memory.subarray(offset + length)].every((byte) => byte === 9),
        ).toBe(true);
      }
    },
  );

  it("is put on into another place, and the source stays", () => {
    const source = Uint8Array.from({ length: 100 }, (_, index) => index);
    const output = new Uint8Array(120);
    mask(source, maskBytes, output, 10, 50);
    expect(output.subarray(10, 60)).toEqual(expected(source.subarray(0, 50)));
    expect([...output.subarray(0, 10), ...output.subarray(60)].every((byte) => byte === 0)).toBe(true);
    expect(source[1]).toBe(1);
  });
});
