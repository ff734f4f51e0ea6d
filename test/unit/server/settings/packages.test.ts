import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadServerSettings } from "../../../../src/server/settings/load.ts";

const load = (text: string, env: Record<string, string> = {}) =>
  loadServerSettings("server.yaml", { env, readFile: () => text }).settings.packages;

const example = fileURLToPath(new URL("../../../../server.example.yaml", import.meta.url));

describe("packages", () => {
  it("are off without a folder", () => {
    expect(load("")).toBeUndefined();
    expect(load("packages:\n  max_downloads: 5\n")).toBeUndefined();
    expect(load("packages:\n  directory: ''\n")).toBeUndefined();
  });

  it("need no more than the folder", () => {
    expect(load("packages:\n  directory: /p\n")).toEqual({
      directory: "/p",
      url: undefined,
      headers: {},
      maxDownloads: 1000,
    });
  });

  it("have keys that server.example.yaml explains", () => {
    const text = readFileSync(example, "utf8").replaceAll(
      /^( +)# ( *)(directory:|url:|headers:|Authorization:)/gm,
      "$1$2$3",
    );
    expect(load(text, { PACKAGES_TOKEN: "s3cret" })).toEqual({
      directory: "/var/lib/opamp-server/packages",
      url: "https://downloads.example.com/v1/packages",
      headers: { Authorization: ["Bearer s3cret"] },
      maxDownloads: 1000,
    });
  });

  it.each([
    ["url: https://a/b", /packages: needs directory/],
    ["headers: {a: b}", /packages: needs directory/],
    ["directory: /p\n  url: ftp://a/b", /packages\.url: expected the http:\/\/ or https:\/\/ URL/],
    ["directory: /p\n  url: https://a/b?c=d", /packages\.url: expected no \? and no #/],
    ["directory: /p\n  max_downloads: 0", /packages\.max_downloads: expected a whole number, 1 or more/],
    ["directory: /p\n  folder: /q", /packages\.folder: unknown key/],
  ])("refuse %j", (text, message) => {
    expect(() => load(`packages:\n  ${text}\n`)).toThrow(message);
  });

  it("never show a header in an error", () => {
    const attempt = () => load("packages:\n  directory: /p\n  headers: {a: ['s3\\ncret', {b: s3cret}]}\n");
    expect(attempt).toThrow(/packages\.headers/);
    expect(attempt).not.toThrow(/s3/);
  });
});
