import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { AgentCapability } from "../../src/opamp/bits.ts";
import { PackageStatusEnum } from "../../src/opamp/messages.ts";
import { eventually } from "../support/eventually.ts";
import { fetchBytes, fetchJson, RawWebSocketAgent, usualCapabilities } from "../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../support/server-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import { TestAuthority } from "../support/test-authority.ts";

const capabilities =
  usualCapabilities | AgentCapability.AcceptsPackages | AgentCapability.ReportsPackageStatuses;

/** A client learns it as an alert or, when it was still writing, as a broken connection. */
const refused = /alert|hang up|ECONNRESET|EPIPE/;

async function packageFolder(content: Uint8Array): Promise<string> {
  const directory = tempDir();
  await mkdir(join(directory, "collector/0.150.0"), { recursive: true });
  await writeFile(join(directory, "collector/0.150.0/otelcol"), content);
  return directory;
}

async function offerCollector(management: URL) {
  await fetchJson(new URL("/api/v1/packages/rescan", management), { method: "POST" });
  return fetchJson(new URL("/api/v1/packages/offer", management), {
    method: "POST",
    body: JSON.stringify({ packages: { collector: "0.150.0" } }),
  });
}

/** Resident memory of a process in bytes, without what is only cached of files. */
async function anonymousMemory(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

describe("opamp-server with packages", () => {
  it("takes an Agent from the offer over a broken download to Installed, by mutual TLS", async () => {
    const content = randomBytes(3_000_000);
    const authority = await TestAuthority.create("test");
    const [own, agents] = await Promise.all([
      authority.issue({ name: "server" }),
      authority.issue({ name: "agent" }),
    ]);
    const pem = (text: string) => `|\n${text.replaceAll(/^/gm, "      ")}`;
    const tls = `  tls:\n    cert_pem: ${pem(own.cert)}\n    key_pem: ${pem(own.key)}\n    client_ca_pem: ${pem(authority.cert)}\n`;
    const server = new ServerProcess(
      "--config",
      await settingsFile(
        `opamp:\n  endpoint: 127.0.0.1:0\n${tls}management:\n  endpoint: 127.0.0.1:0\npackages:\n  directory: ${await packageFolder(content)}\n  headers: {Authorization: Bearer s3cret}\n`,
      ),
    );
    const { opamp, management } = await server.urls();
    const trust = { ca: authority.cert, ...agents };
    const { agent } = await RawWebSocketAgent.join(
      opamp,
      { capabilities, tls: trust },
      { packageStatuses: {} },
    );
    onTestFinished(() => agent.socket.terminate());
    expect((await offerCollector(management)).json).toMatchObject({ matched: 1, offered: 1 });

    const { allPackagesHash, packages } = (await agent.receive()).packagesAvailable!;
    const { file, hash, version } = packages.collector!;
    const { downloadUrl, contentHash, headers } = file!;
    expect(downloadUrl).toBe(`https://${opamp.host}/v1/packages/collector/0.150.0/otelcol`);
    await expect(fetchBytes(downloadUrl, { ca: authority.cert })).rejects.toThrow(refused);
    const offered = Object.fromEntries(headers!.headers.map(({ key, value }) => [key, value]));
    const get = (more: Record<string, string>) =>
      fetchBytes(downloadUrl, { headers: { ...offered, ...more }, ...trust });
    const start = await get({ range: "bytes=0-999999" });
    const rest = await get({ range: "bytes=1000000-", "if-range": start.headers.etag! });
    expect([start.status, rest.status]).toEqual([206, 206]);
    const whole = Buffer.concat([start.body, rest.body]);
    expect(new Uint8Array(createHash("sha256").update(whole).digest())).toEqual(contentHash);
    expect(whole.equals(content)).toBe(true);

    const installed = {
      name: "collector",
      agentHasVersion: version,
      agentHasHash: hash,
      serverOfferedVersion: version,
      serverOfferedHash: hash,
      status: PackageStatusEnum.PackageStatusEnum_Installed,
    };
    await agent.exchange({
      packageStatuses: {
        packages: { collector: installed },
        serverProvidedAllPackagesHash: allPackagesHash,
      },
    });
    const { json } = await fetchJson<{ agents: Record<string, unknown>[] }>(
      new URL("/api/v1/agents", management),
    );
    const [shown] = json.agents;
    expect(shown).toMatchObject({ packages: { collector: { version: "0.150.0", status: "INSTALLED" } } });
    expect(shown?.packages_hash).toBe(shown?.desired_packages_hash);
    await eventually("every line of the log", () => {
      const events = server.lines.map(({ event }) => event).filter((event) => event !== "rollout");
      expect(events.sort()).toEqual([
        "agent_connected",
        "listening",
        "management_open",
        "package_added",
        "package_downloaded",
        "package_downloaded",
        "package_status",
        "packages_offered",
        "packages_pushed",
        "storage_in_memory",
      ]);
      return true;
    });
    expect(server.output + server.errors).not.toContain("s3cret");
  });

  it("serves many slow clients of a large file in flat memory, and stops in their midst", async () => {
    const clients = 40;
    const size = 256 * 1024 * 1024;
    const directory = await packageFolder(new Uint8Array());
    await truncate(join(directory, "collector/0.150.0/otelcol"), size);
    const server = new ServerProcess(
      "--config",
      await settingsFile(`${onFreePorts}packages:\n  directory: ${directory}\n`),
    );
    const { opamp, management } = await server.urls();
    await offerCollector(management);
    const url = new URL("/v1/packages/collector/0.150.0/otelcol", opamp.href.replace(/^ws/, "http"));
    // One download to its end, so that what the first costs is not counted.
    let received = 0;
    const first = await openDownload(url);
    for await (const chunk of first as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(size);
    const before = await anonymousMemory(server.child.pid!);
    await Promise.all(Array.from({ length: clients }, () => openDownload(url)));
    const growth = (await anonymousMemory(server.child.pid!)) - before;
    // 40 files are 10 GiB; a client may cost what one connection buffers.
    expect(growth).toBeLessThan(clients * 1024 * 1024);
    server.child.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(server.lines.at(-1)?.event).toBe("stopped");
  });
});

/** A client that has the headers and takes of the body what it is asked for. */
async function openDownload(url: URL): Promise<IncomingMessage> {
  const request = httpRequest(url, { agent: false });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  onTestFinished(() => void response.destroy());
  return response;
}
