import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadServerSettings } from "../../../src/server/settings/load.ts";
import { loadSupervisorSettings } from "../../../src/supervisor/settings/load.ts";
import { tempDir } from "../../support/temp-dir.ts";

const folder = new URL("../../../packaging/container/", import.meta.url).pathname;
const read = (name: string) => readFileSync(join(folder, name), "utf8");

interface Service {
  build?: { context: string; dockerfile: string; target: string };
  volumes: string[];
  environment?: Record<string, string>;
}
const { services, volumes } = parse(read("compose.yaml")) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};

describe("compose.yaml", () => {
  it("builds what the Containerfile has, and mounts what there is", () => {
    const targets = [...read("Containerfile").matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name);
    const builds = Object.values(services).flatMap(({ build }) => build ?? []);
    expect(builds).toHaveLength(2);
    for (const { context, dockerfile, target } of builds) {
      expect(existsSync(join(folder, context, dockerfile))).toBe(true);
      expect(targets).toContain(target);
    }
    const sources = Object.values(services).flatMap((service) =>
      service.volumes.map((mount) => mount.split(":")[0]!),
    );
    const missing = sources.filter((source) =>
      source.startsWith("./") ? !existsSync(join(folder, source)) : !(source in volumes),
    );
    expect(missing).toEqual([]);
  });

  it("has settings that both programs take, with what their containers are given", () => {
    const server = loadServerSettings(join(folder, "compose/server.yaml"), {
      env: { POSTGRES_PASSWORD: "secret" },
    });
    expect(server.warnings).toEqual([]);
    expect(Object.keys(services.server!.environment!)).toEqual(["POSTGRES_PASSWORD"]);
    expect(server.settings.storage.postgresUrl).toBe("postgres://opamp:secret@postgres:5432/opamp");
    // The Collector is in the image only.
    const file = join(tempDir(), "supervisor.yaml");
    writeFileSync(
      file,
      read("compose/supervisor.yaml").replace("/usr/local/bin/otelcol-contrib", process.execPath),
    );
    const supervisor = loadSupervisorSettings(file, { env: {} });
    expect(supervisor.warnings).toEqual([]);
    expect(supervisor.settings.server.endpoint).toContain(
      `ws://server:${server.settings.opamp.address.port}`,
    );
  });
});
