import { describe, expect, it } from "vitest";
import { AddressList } from "../../../../src/server/access/address-list.ts";

describe("AddressList", () => {
  it.each([
    ["10.0.0.0/8", "10.200.3.4", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["127.0.0.1", "::ffff:127.0.0.1", true],
    ["127.0.0.1", "127.0.0.2", false],
    ["2001:db8::/32", "2001:db8:1::1", true],
    ["::1", "::2", false],
    ["10.0.0.0/8", "not an address", false],
  ])("%s and %s: %s", (entry, address, included) => {
    expect(new AddressList([entry]).includes(address)).toBe(included);
  });

  it.each(["10.0.0.0/33", "localhost", "10.0.0.0/x", ""])("refuses %j", (entry) => {
    expect(() => new AddressList([entry])).toThrow(JSON.stringify(entry));
  });
});
