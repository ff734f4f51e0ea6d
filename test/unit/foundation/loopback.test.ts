import { expect, it } from "vitest";
import { isLoopback } from "../../../src/foundation/loopback.ts";

it.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["127.8.9.10", true],
  ["::1", true],
  ["[::1]", true],
  ["10.0.0.1", false],
  ["::2", false],
  ["0.0.0.0", false],
  // A name that anybody can register.
  ["127.example.com", false],
  ["localhost.example.com", false],
  ["", false],
])("whether %j is this machine alone: %s", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
