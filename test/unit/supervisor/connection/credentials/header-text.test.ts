import { describe, expect, it } from "vitest";
import { parseHeaderText } from "../../../../../src/supervisor/connection/credentials/header-text.ts";

const now = 1_800_000_000_000;
const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.c2ln`;

describe("headers of a file or a command", () => {
  it("are lines as curl reads them", () => {
    const text = "# of today\nAuthorization: Bearer abc\r\n\nX-Tenant:a: b \n";
    expect(parseHeaderText(text, now)).toEqual({
      headers: { Authorization: "Bearer abc", "X-Tenant": "a: b" },
      lifetimeMs: undefined,
    });
  });

  it("are JSON with a lifetime", () => {
    const text = '{"headers": {"Authorization": "Bearer abc"}, "expires_in": 60}';
    expect(parseHeaderText(text, now)).toEqual({
      headers: { Authorization: "Bearer abc" },
      lifetimeMs: 60_000,
    });
  });

  it.each([
    [{ exp: now / 1_000 + 100 }, 100_000],
    [{ exp: now / 1_000 - 100 }, 0],
    // The clock of this host is slow.
    [{ exp: now / 1_000 + 9_000, iat: now / 1_000 + 8_000 }, 1_000_000],
    [{}, undefined],
  ])("last as long as the JSON Web Token in them: %j", (claims, lifetimeMs) => {
    expect(parseHeaderText(`authorization: bearer ${jwt(claims)}`, now).lifetimeMs).toBe(lifetimeMs);
  });

  it.each([
    "",
    "# nothing\n",
    "s3cret",
    "Authorization: s3cret\u0007",
    "{s3cret",
    '{"headers": {"s3cret": 1}}',
    "s3 cret: x",
  ])("are refused without a word of %j", (text) => {
    let message = "";
    try {
      parseHeaderText(text, now);
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message).not.toBe("");
    expect(message).not.toContain("s3");
  });
});
