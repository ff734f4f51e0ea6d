import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/foundation/clock.ts";
import { silentLogger } from "../../src/foundation/logger.ts";
import type { EffectiveConfig } from "../../src/opamp/messages.ts";
import {
  type CollectorReport,
  type LinkIdentity,
  LocalLink,
  markHeader,
} from "../../src/supervisor/collector/local-link.ts";

const token = "e2e-token";
const instanceUid = "019a0000-0000-7000-8000-000000000001";
const cleanUps: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A Collector's binary; without one these tests cannot tell anything. */
function collectorBinary(): string {
  const binary = process.env.OTELCOL;
  if (!binary) throw new Error("set OTELCOL to the path of a Collector that has the opamp extension");
  return binary;
}

function configuration(port: number, mark: string, queueSize: number): string {
  return JSON.stringify({
    receivers: { nop: {} },
    exporters: { nop: {}, otlp: { endpoint: "127.0.0.1:1", sending_queue: { queue_size: queueSize } } },
    extensions: {
      opamp: {
        instance_uid: instanceUid,
        server: {
          ws: {
            endpoint: `ws://127.0.0.1:${port}/v1/opamp`,
            tls: { insecure: true },
            headers: { Authorization: `Bearer ${token}`, [markHeader]: mark },
          },
        },
        capabilities: { reports_available_components: true },
      },
    },
    service: {
      extensions: ["opamp"],
      pipelines: { traces: { receivers: ["nop"], exporters: ["nop", "otlp"] } },
      telemetry: { metrics: { level: "none" } },
    },
  });
}

function textOf(config: EffectiveConfig | undefined): string {
  return Buffer.from(config?.configMap?.configMap[""]?.body ?? []).toString();
}

/** Everything a link tells, and a way to wait for the merged report to become what is expected. */
class Witness {
  readonly told: string[] = [];
  readonly links: LinkIdentity[] = [];
  readonly #waiting = new Set<() => void>();

  readonly handlers = {
    onLink: (link: LinkIdentity) => {
      this.links.push(link);
      this.#tell(`link ${link.mark}`);
    },
    onReport: (link: LinkIdentity, changed: CollectorReport) => {
      const { mark: _, ...parts } = changed;
      this.#tell(`report ${link.mark}: ${Object.keys(parts).join()} ${parts.health?.status ?? ""}`);
    },
    onCustomMessage: () => undefined,
    onUnlink: (link: LinkIdentity, reason: string) => this.#tell(`unlink ${link.mark}: ${reason}`),
  };

  /** Resolves when `condition` holds; it is looked at after every event. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  #tell(event: string): void {
    this.told.push(event);
    for (const look of [...this.#waiting]) look();
  }
}

async function startLink(witness: Witness, port = 0) {
  const local = new LocalLink({ port, token, logger: silentLogger, clock: systemClock }, witness.handlers);
  const bound = await local.listen();
  cleanUps.push(() => local.close());
  const proven = (mark: string) =>
    witness.until(() => {
      const report = local.current?.report;
      return report?.mark === mark && report.health?.healthy === true && report.effectiveConfig !== undefined;
    });
  return { local, port: bound, proven };
}

async function startCollector(configFile: string, logFile: string): Promise<ChildProcess> {
  const log = await open(logFile, "a");
  const child = spawn(collectorBinary(), ["--config", configFile], { stdio: ["ignore", log.fd, log.fd] });
  await log.close();
  const exited = new Promise((resolve) => child.once("exit", resolve));
  cleanUps.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return child;
}

async function workFolder(): Promise<{ configFile: string; logFile: string }> {
  const folder = await mkdtemp(join(tmpdir(), "local-link-"));
  cleanUps.push(() => rm(folder, { recursive: true }));
  return { configFile: join(folder, "effective.yaml"), logFile: join(folder, "agent.log") };
}

describe("the link with a real Collector", () => {
  it("tells health, configuration, description and components, and the new mark over a reload", async () => {
    const witness = new Witness();
    const { local, port, proven } = await startLink(witness);
    const { configFile, logFile } = await workFolder();
    await writeFile(configFile, configuration(port, "first", 1111));
    const collector = await startCollector(configFile, logFile);

    await proven("first");
    await witness.until(() => local.current?.report.availableComponents?.components.receivers !== undefined);
    const { description, effectiveConfig, availableComponents } = local.current?.report ?? {};
    expect(description?.identifyingAttributes.map(({ key }) => key)).toContain("service.instance.id");
    expect(textOf(effectiveConfig)).toContain("1111");
    expect(textOf(effectiveConfig)).not.toContain(token);
    const receivers = availableComponents?.components.receivers?.subComponentMap ?? {};
    expect(Object.keys(receivers)).toContain("nop");

    await writeFile(configFile, configuration(port, "second", 2222));
    collector.kill("SIGHUP");
    await proven("second");
    expect(textOf(local.current?.report.effectiveConfig)).toContain("2222");
    expect(witness.links.map(({ mark }) => mark)).toEqual(["first", "second"]);
    expect(collector.exitCode).toBeNull();

    collector.kill("SIGTERM");
    await witness.until(() => local.current === undefined);
    expect(await readFile(logFile, "utf8")).not.toMatch(/panic|bad.?request/i);
  });

  it("an adopted Collector that dials again is asked for what it does not repeat", async () => {
    const witness = new Witness();
    const { local, port, proven } = await startLink(witness);
    const { configFile, logFile } = await workFolder();
    await writeFile(configFile, configuration(port, "only", 1111));
    await startCollector(configFile, logFile);
    await proven("only");
    await local.close();

    const successor = new Witness();
    const again = await startLink(successor, port);
    await again.proven("only");
    const report = again.local.current?.report;
    expect(report?.description).toBeDefined();
    expect(textOf(report?.effectiveConfig)).toContain("1111");
    // The first message said nothing; health and configuration came because they were asked for.
    expect(successor.told[0]).toBe("link only");
  });

  it("answers pings", async () => {
    const witness = new Witness();
    const { local, port, proven } = await startLink(witness);
    const { configFile, logFile } = await workFolder();
    await writeFile(configFile, configuration(port, "live", 1));
    const collector = await startCollector(configFile, logFile);
    await proven("live");
    const dead = new Promise<LinkIdentity>((resolve) => {
      cleanUps.push(async () => stop());
      const stop = local.watchLiveness({ intervalMs: 20, timeoutMs: 200 }, resolve);
    });
    collector.kill("SIGSTOP");
    expect((await dead).mark).toBe("live");
    collector.kill("SIGCONT");
  });
});
