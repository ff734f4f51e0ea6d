import { describe, expect, it } from "vitest";
import { loadStorageSettings } from "../../../../src/supervisor/settings/load-storage.ts";

function load(text: string, env: Record<string, string> = {}) {
  const readFile = (path: string) => {
    if (path !== "supervisor.yaml") throw new Error(`may not read ${path}`);
    return text;
  };
  return loadStorageSettings("supervisor.yaml", { env, readFile });
}

describe("loadStorageSettings", () => {
  it("reads where the state is, whatever is wrong with the rest", () => {
    const text = `storage: {directory: /state}\nserver: {headers: {a: "\${file:/secret}"}, no_such: 1}\nodd: 1\n`;
    expect(load(text)).toMatchObject({ settings: { storage: { directory: "/state" } }, warnings: [] });
  });

  it("has the default of the supervisor", () => {
    expect(load("server: {}").settings.storage.directory).toBe("/var/lib/otelcol/supervisor");
    expect(load("").settings.storage.directory).toBe("/var/lib/otelcol/supervisor");
  });

  it("expands references in it, and warns of a variable that is not set here", () => {
    const text = `storage: {directory: "\${env:STATE}"}`;
    expect(load(text, { STATE: "/s" }).settings.storage.directory).toBe("/s");
    expect(load(text).warnings).toEqual([expect.stringContaining(`\${env:STATE} is not set`)]);
  });

  it.each([
    ["storage: {directry: /s}", "storage.directry: unknown key; did you mean directory?"],
    ["storage: {directory: [1]}", "expected a path"],
    ["storage: [", "invalid YAML"],
  ])("refuses %s", (text, message) => {
    expect(() => load(text)).toThrow(message);
  });
});
