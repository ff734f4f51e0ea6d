import { describe, expect, it } from "vitest";
import { localFilePaths, sourceOrder } from "../../../../src/supervisor/configuration/order.ts";

const own = "$OWN_TELEMETRY_CONFIG";
const opamp = "$OPAMP_EXTENSION_CONFIG";
const remote = "$REMOTE_CONFIG";

const shown = (configFiles: string[]) =>
  sourceOrder(configFiles).map((source) => (source.t === "file" ? source.path : source.t));

describe("sourceOrder", () => {
  it.each([
    ["nothing", [], ["own-telemetry", "opamp-extension", "remote"]],
    ["files only", ["a", "b"], ["own-telemetry", "a", "b", "opamp-extension", "remote"]],
    ["the remote marker only", [remote], ["own-telemetry", "remote", "opamp-extension"]],
    ["the extension first", [opamp, "a"], ["own-telemetry", "opamp-extension", "a", "remote"]],
    ["own telemetry last", ["a", own], ["a", "own-telemetry", "opamp-extension", "remote"]],
    ["all markers", [remote, opamp, "a", own], ["remote", "opamp-extension", "a", "own-telemetry"]],
  ])("puts what is missing where the reference puts it: %s", (_, configFiles, order) => {
    expect(shown(configFiles)).toEqual(order);
  });

  it("names each local file once", () => {
    expect(localFilePaths(["a", remote, "b", "a"])).toEqual(["a", "b"]);
  });
});
