import { describe, expect, it } from "vitest";
import { acceptsGzip } from "../../../../src/opamp/server/http-headers.ts";

describe("SH2: acceptsGzip", () => {
  it.each([
    ["gzip", true],
    ["GZip", true],
    ["deflate, gzip", true],
    ["gzip;q=0.001", true],
    ["gzip ; q=1.0", true],
    ["*", true],
    ["br, *;q=0.1", true],
    ["gzip;q=0", false],
    ["gzip;q=0.000, *", false],
    ["*, gzip;q=0", false],
    ["*;q=0", false],
    ["identity", false],
    ["gzipped", false],
    ["gzip;q=nonsense", false],
    ["", false],
    [undefined, false],
  ])("%s: %s", (header, accepted) => {
    expect(acceptsGzip(header)).toBe(accepted);
  });
});
