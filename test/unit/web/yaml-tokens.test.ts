import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { yamlTokens } from "../../../web/src/text/yaml-tokens.ts";

const kinds = (line: string) => yamlTokens(line).map(({ t, text }) => [t, text.trim()]);

describe("yamlTokens", () => {
  it.each([
    [
      "  endpoint: 127.0.0.1:4317 # grpc",
      [
        ["mark", ""],
        ["key", "endpoint"],
        ["mark", ":"],
        ["plain", "127.0.0.1:4317"],
        ["comment", "# grpc"],
      ],
    ],
    ["# all of it", [["comment", "# all of it"]]],
    [
      "- batch",
      [
        ["mark", "-"],
        ["plain", "batch"],
      ],
    ],
    [
      "timeout: 5s",
      [
        ["key", "timeout"],
        ["mark", ":"],
        ["number", "5s"],
      ],
    ],
    [
      '  url: "https://x#y"',
      [
        ["mark", ""],
        ["key", "url"],
        ["mark", ":"],
        ["string", '"https://x#y"'],
      ],
    ],
  ])("%s", (line, expected) => {
    expect(kinds(line)).toEqual(expected);
  });

  it("loses no character of any line", () => {
    fc.assert(
      fc.property(fc.string(), (line) => {
        expect(
          yamlTokens(line)
            .map(({ text }) => text)
            .join(""),
        ).toBe(line);
      }),
    );
  });
});
