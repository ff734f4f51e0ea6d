import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { onTestFinished } from "vitest";
import { collectorBinary } from "./collector.ts";
import { freePorts } from "./free-port.ts";
import type { OtlpReceiver } from "./otlp-receiver.ts";
import { tempDir } from "./temp-dir.ts";
import type { Credentials } from "./test-authority.ts";

export interface RelayOptions {
  /** Serves https, and lets in only who has a certificate of `clientCa`, in PEM. */
  tls?: Credentials & { clientCa: string };
}

/** A Collector of another host that passes on what it is sent, in JSON. Ends with the test. */
export async function startRelay(
  receiver: OtlpReceiver,
  { tls }: RelayOptions = {},
): Promise<{ http: number; grpc: number }> {
  const ports = await freePorts("http", "grpc");
  const config = {
    receivers: {
      otlp: {
        protocols: {
          http: {
            endpoint: `127.0.0.1:${ports.http}`,
            include_metadata: true,
            ...(tls && {
              tls: {
                cert_pem: tls.cert,
                key_pem: tls.key,
                client_ca_file: await writeTemporary("client-ca.pem", tls.clientCa),
              },
            }),
          },
          grpc: { endpoint: `127.0.0.1:${ports.grpc}` },
        },
      },
    },
    exporters: { otlphttp: { endpoint: receiver.endpoint, encoding: "json", compression: "none" } },
    service: {
      telemetry: { metrics: { level: "none" } },
      pipelines: Object.fromEntries(
        ["logs", "metrics", "traces"].map((signal) => [
          signal,
          { receivers: ["otlp"], exporters: ["otlphttp"] },
        ]),
      ),
    },
  };
  const path = await writeTemporary("relay.yaml", JSON.stringify(config));
  const relay = spawn(collectorBinary(), ["--config", path], { stdio: ["ignore", "ignore", "pipe"] });
  const exited = once(relay, "exit");
  onTestFinished(async () => {
    relay.kill("SIGKILL");
    await exited;
  });
  for await (const line of createInterface({ input: relay.stderr })) {
    if (line.includes("Everything is ready")) break;
  }
  relay.stderr.resume();
  return ports;
}

async function writeTemporary(name: string, content: string): Promise<string> {
  const path = join(tempDir(), name);
  await writeFile(path, content);
  return path;
}
