import { describe, expect, it } from "vitest";
import {
  formatInstanceUid,
  isUsableInstanceUid,
  newInstanceUid,
  parseInstanceUid,
} from "../../../src/opamp/instance-uid.ts";

const text = "01890a5d-ac96-774b-bcce-b302099a8057";

describe("formatInstanceUid and parseInstanceUid", () => {
  it("reverse each other", () => {
    const uid = parseInstanceUid(text);
    expect(uid).toHaveLength(16);
    expect(formatInstanceUid(uid ?? new Uint8Array())).toBe(text);
  });

  it("reads upper case and no hyphens", () => {
    expect(parseInstanceUid(text.toUpperCase().replaceAll("-", ""))).toEqual(parseInstanceUid(text));
  });

  it.each([
    "",
    "x",
    text.slice(1),
    `${text}0`,
    "01890a5dac96-774b-bcce-b302099a8057",
    text.replace("d", "g"),
  ])("refuses %j", (wrong) => expect(parseInstanceUid(wrong)).toBeUndefined());

  it("gives plain hexadecimal for other lengths", () => {
    expect(formatInstanceUid(new Uint8Array([1, 0xff]))).toBe("01ff");
  });
});

describe("newInstanceUid", () => {
  it("AI1 is a UUIDv7 that begins with the time", () => {
    const now = Date.parse("2026-01-01T00:00:00Z");
    const uid = formatInstanceUid(newInstanceUid(now));
    expect(uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(uid.replaceAll("-", "").slice(0, 12), 16)).toBe(now);
  });

  it("differs every time", () => {
    expect(formatInstanceUid(newInstanceUid(0))).not.toBe(formatInstanceUid(newInstanceUid(0)));
  });
});

describe("isUsableInstanceUid", () => {
  it("AI5 wants 16 bytes that are not all zero", () => {
    expect(isUsableInstanceUid(new Uint8Array(16))).toBe(false);
    expect(isUsableInstanceUid(new Uint8Array(15).fill(1))).toBe(false);
    expect(isUsableInstanceUid(new Uint8Array(17).fill(1))).toBe(false);
    expect(isUsableInstanceUid(new Uint8Array(16).fill(1))).toBe(true);
  });
});
