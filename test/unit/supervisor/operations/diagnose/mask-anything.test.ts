import { expect, it } from "vitest";
import { makeMask } from "../../../../../src/supervisor/operations/diagnose/mask-anything.ts";

const mask = makeMask(new Set(["kn0wn-secret"]));

it.each([
  ["as it is", "x kn0wn-secret y"],
  ["in base64", `x ${Buffer.from("kn0wn-secret").toString("base64")} y`],
  ["in hexadecimal", `x ${Buffer.from("kn0wn-secret").toString("hex")} y`],
])("hides a known secret %s", (_how, text) => {
  expect(mask(text)).toBe("x [REDACTED] y");
});

const pem = `-----BEGIN EC PRIVATE KEY-----\nMHcC\n-----END EC PRIVATE KEY-----`;

it.each([
  ["Authorization: Bearer abcdef123456", "abcdef123456"],
  ['{"authorization":"Basic dXNlcjpwYXNz"}', "dXNlcjpwYXNz"],
  ['{\\"api_key\\": \\"opaque value\\"}', "opaque value"],
  ["connecting with password=hunter2!, retrying", "hunter2!"],
  ["db: postgres://me:letmein@db/x?sslmode=off", "letmein"],
  [`before ${pem} after`, "MHcC"],
  [JSON.stringify({ text: pem }), "MHcC"],
  ["-----BEGIN PRIVATE KEY-----\nMHcC cut off", "MHcC"],
])("hides what looks like one in %j", (text, secret) => {
  expect(mask(text)).not.toContain(secret);
});

it("leaves what is none", () => {
  const text = '{"tokens": 3, "password": null, "msg": "Everything is ready", "healthy": true}';
  expect(mask(text)).toBe(text);
});
