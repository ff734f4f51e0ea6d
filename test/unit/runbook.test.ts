import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { findReasons } from "../support/failure-reasons.ts";

const runbook = readFileSync(new URL("../../docs/runbook.md", import.meta.url), "utf8").replaceAll(
  /\s+/g,
  " ",
);

it("finds the reasons that the source gives", () => {
  const words = findReasons().map((reason) => reason.words);
  // One of each kind of place: a changed style must not make the other test pass by finding nothing.
  expect(words).toEqual(
    expect.arrayContaining([
      "refuses it:",
      "crash loop: the Collector ended",
      "the server was not reached",
      "is encrypted",
      "a local file sets it",
      "it would turn the verification of certificates off",
    ]),
  );
  expect(words.length).toBeGreaterThan(100);
});

it("docs/runbook.md says of every reason for FAILED what it means and what to do", () => {
  const missing = findReasons().filter(({ words }) => !runbook.includes(words));
  expect(missing).toEqual([]);
});
