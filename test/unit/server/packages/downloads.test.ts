import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readlinkSync } from "node:fs";
import { appendFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { stallTimeoutMs } from "../../../../src/server/packages/transfer.ts";
import { eventually } from "../../../support/eventually.ts";
import { type FetchOptions, fetchBytes } from "../../../support/raw-agent.ts";
import { type PackageServer, startPackageServer, writeFiles } from "./package-folder.ts";

const path = "/v1/packages/collector/0.150.0/otelcol.tar.gz";
const content = Buffer.from("0123456789");
const etag = `"${createHash("sha256").update(content).digest("hex")}"`;
const onDisk = { "collector/0.150.0/otelcol.tar.gz": content };

async function small() {
  const server = await startPackageServer(onDisk);
  const get = (headers: Record<string, string> = {}, more: FetchOptions = {}) =>
    fetchBytes(server.download(path), { headers, ...more });
  return { ...server, get };
}

/** More than the buffers of a connection hold, so that the server has to wait for its client. */
const large = randomBytes(24 * 1024 * 1024);
const largePath = "/v1/packages/large/1/file";

/** Files below the folder that this process has open. */
function openFiles({ directory }: PackageServer): string[] {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.startsWith(directory));
}

/** A download whose client has seen the headers and reads nothing of the body. */
async function stuckClient(url: URL): Promise<IncomingMessage> {
  const request = httpRequest(url, { agent: false });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.on("error", () => undefined);
  onTestFinished(() => void response.destroy());
  return response;
}

describe("a package download (AP8, SP5)", () => {
  it("is the whole file with what a client needs to go on later", async () => {
    const { get } = await small();
    const { status, headers, body } = await get();
    expect([status, body]).toEqual([200, content]);
    expect(headers).toMatchObject({
      "content-type": "application/octet-stream",
      "content-length": "10",
      "accept-ranges": "bytes",
      etag,
      "last-modified": expect.stringMatching(/ GMT$/),
    });
    expect(headers["content-range"]).toBeUndefined();
  });

  it.each([
    ["bytes=0-3", "0123", "bytes 0-3/10"],
    ["bytes=4-", "456789", "bytes 4-9/10"],
    ["bytes=-2", "89", "bytes 8-9/10"],
    ["bytes=8-50", "89", "bytes 8-9/10"],
  ])("gives %s alone", async (range, expected, contentRange) => {
    const { get } = await small();
    const { status, headers, body } = await get({ range });
    expect([status, body.toString()]).toEqual([206, expected]);
    expect(headers).toMatchObject({
      "content-range": contentRange,
      "content-length": String(expected.length),
      etag,
    });
  });

  it("answers 416 with the length for a range behind the end", async () => {
    const { get } = await small();
    const { status, headers } = await get({ range: "bytes=10-" });
    expect([status, headers["content-range"], headers.etag]).toEqual([416, "bytes */10", etag]);
  });

  it("goes on only with the file that the client has a part of (If-Range)", async () => {
    const { get } = await small();
    const range = "bytes=4-";
    const modified = (await get()).headers["last-modified"]!;
    expect((await get({ range, "if-range": etag })).status).toBe(206);
    expect((await get({ range, "if-range": modified })).status).toBe(206);
    for (const other of ['"0000"', `W/${etag}`, "Thu, 01 Jan 1970 00:00:00 GMT"]) {
      const { status, body } = await get({ range, "if-range": other });
      expect([other, status, body]).toEqual([other, 200, content]);
    }
    // Of another file there is no telling what lies behind its end.
    expect((await get({ range: "bytes=50-", "if-range": '"0000"' })).status).toBe(200);
  });

  it("answers 304 and 412 without a body", async () => {
    const { get } = await small();
    const same = await get({ "if-none-match": etag });
    expect([same.status, same.body.length, same.headers.etag]).toEqual([304, 0, etag]);
    expect((await get({ "if-match": '"0000"', range: "bytes=4-" })).status).toBe(412);
    expect((await get({ "if-match": etag, range: "bytes=4-" })).status).toBe(206);
  });

  it("tells everything but the body to HEAD, for which ranges mean nothing", async () => {
    const server = await small();
    const { status, headers, body } = await server.get({ range: "bytes=4-" }, { method: "HEAD" });
    expect([status, body.length]).toEqual([200, 0]);
    expect(headers).toMatchObject({ "content-length": "10", etag });
    await eventually("files closed", () => openFiles(server).length === 0);
  });

  it("takes GET and HEAD only, and answers a body it does not read", async () => {
    const { get } = await small();
    const { status, headers } = await get({}, { method: "POST", body: "x".repeat(100_000) });
    expect([status, headers.allow]).toEqual([405, "GET, HEAD"]);
  });

  it("serves OpAMP beside it as ever", async () => {
    const { server } = await small();
    const url = new URL(server.opampUrl.href.replace(/^ws/, "http"));
    expect((await fetchBytes(url)).status).toBe(405);
    expect((await fetchBytes(new URL("/v1/packages", url))).status).toBe(404);
  });
});

describe("the files that can be downloaded", () => {
  it("are those of the catalogue, whatever a path says", async () => {
    const server = await startPackageServer({
      ...onDisk,
      "collector/0.150.0/otelcol.tar.gz.sig": "sig!",
      "collector/package.yaml": "type: top-level\n",
    });
    await writeFile(join(server.directory, "../not-for-agents"), "secret").catch(() => undefined);
    const { port } = server.server.opampUrl;
    const ask = async (target: string) => {
      // A client library would tidy the path up.
      const socket = connect(Number(port), "127.0.0.1");
      socket.write(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`);
      let text = "";
      for await (const chunk of socket) text += String(chunk);
      return Number(text.split(" ", 2)[1]);
    };
    expect(await ask(path)).toBe(200);
    expect(await ask(`${path}?token=1`)).toBe(200);
    expect(await ask(path.replaceAll("0.150.0", "0%2E150.0"))).toBe(200);
    const { directory } = server;
    for (const target of [
      "/v1/packages/",
      "/v1/packages/collector",
      "/v1/packages/collector/0.150.0",
      "/v1/packages/collector/0.150.0/",
      `${path}/`,
      `${path}.sig`,
      "/v1/packages/collector/package.yaml",
      "/v1/packages/../../etc/passwd",
      "/v1/packages/collector/../collector/0.150.0/otelcol.tar.gz",
      "/v1/packages/collector/0.150.0/../../../../etc/passwd",
      "/v1/packages/collector/0.150.0/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
      "/v1/packages/collector%2f0.150.0/otelcol.tar.gz",
      "/v1/packages/collector/0.150.0%2fotelcol.tar.gz/x",
      "/v1/packages/..%5c..%5cetc/passwd/x",
      `/v1/packages//${directory}/x`,
      "/v1/packages/collector/0.150.0/otelcol.tar.gz%00",
      "/v1/packages/collector/0.150.0/%zz",
      "/v1/packages/COLLECTOR/0.150.0/otelcol.tar.gz",
      "/v1/packages/__proto__/constructor/x",
    ]) {
      expect([target, await ask(target)]).toEqual([target, 404]);
    }
  });

  it("are no longer served once they are not what was hashed", async () => {
    const server = await small();
    const file = join(server.directory, "collector/0.150.0/otelcol.tar.gz");
    await appendFile(file, "!");
    const changed = await server.get();
    expect([changed.status, changed.headers["retry-after"]]).toEqual([503, "10"]);
    await server.post("/api/v1/packages/rescan");
    expect((await server.get()).body.toString()).toBe("0123456789!");
    await rename(file, `${file}.old`);
    await symlink("/etc/passwd", file);
    expect((await server.get()).status).toBe(503);
    await server.post("/api/v1/packages/rescan");
    expect((await server.get()).status).toBe(404);
    expect(openFiles(server)).toEqual([]);
  });

  it("are looked at again as soon as one is not what it was", async () => {
    const server = await small();
    await rm(join(server.directory, "collector"), { recursive: true });
    expect((await server.get()).status).toBe(503);
    await server.log.seen("package_removed");
    expect((await server.get()).status).toBe(404);
  });

  it("need the headers of the offer when there are any", async () => {
    const headers = { Authorization: ["Bearer s3cret"] };
    const server = await startPackageServer(onDisk, { headers });
    const get = (given: Record<string, string>) => fetchBytes(server.download(path), { headers: given });
    expect((await get({})).status).toBe(403);
    expect((await get({ authorization: "Bearer s3cre" })).status).toBe(403);
    expect((await get({ authorization: "Bearer s3cret" })).status).toBe(200);
    expect(JSON.stringify(server.log.lines)).not.toContain("s3cre");
  });

  it("are open to a proxy in front, which has its own way with the headers", async () => {
    const headers = { Authorization: ["Bearer s3cret"] };
    const server = await startPackageServer(onDisk, { headers, url: "https://cdn.example.com/p" });
    expect((await fetchBytes(server.download(path))).status).toBe(200);
  });
});

describe("many downloads", () => {
  it("get the right bytes side by side, each its own part", async () => {
    const server = await startPackageServer({ "large/1/file": large });
    const starts = Array.from({ length: 12 }, (_, index) => index * 2_000_000);
    const parts = await Promise.all(
      starts.map((first) =>
        fetchBytes(server.download(largePath), { headers: { range: `bytes=${first}-` } }),
      ),
    );
    for (const [index, { body }] of parts.entries()) {
      expect(body.equals(large.subarray(starts[index]))).toBe(true);
    }
    await eventually("files closed", () => openFiles(server).length === 0);
  });

  it("wait for clients that are slow, and go on with each when it reads", async () => {
    const server = await startPackageServer({ "large/1/file": large });
    const [stuck] = await Promise.all([
      stuckClient(server.download(largePath)),
      ...Array.from({ length: 9 }, () => stuckClient(server.download(largePath))),
    ]);
    expect(openFiles(server)).toHaveLength(10);
    const chunks: Buffer[] = [];
    for await (const chunk of stuck as AsyncIterable<Buffer>) chunks.push(chunk);
    expect(Buffer.concat(chunks).equals(large)).toBe(true);
    await eventually("one file closed", () => openFiles(server).length === 9);
  });

  it("close their file when the client goes away", async () => {
    const server = await startPackageServer({ "large/1/file": large });
    const client = await stuckClient(server.download(largePath));
    expect(openFiles(server)).toHaveLength(1);
    client.destroy();
    await server.log.seen("package_download_ended");
    await eventually("file closed", () => openFiles(server).length === 0);
  });

  it("are cut off when nothing is taken for long", async () => {
    const server = await startPackageServer({ "large/1/file": large });
    const client = await stuckClient(server.download(largePath));
    server.clock.advance(stallTimeoutMs);
    server.clock.advance(stallTimeoutMs);
    const { reason } = await server.log.seen("package_download_ended");
    expect(reason).toContain("took nothing for 300 s");
    await eventually("file closed", () => openFiles(server).length === 0);
    client.destroy();
  });

  it("break off when the file shrinks, for the length was promised", async () => {
    const server = await startPackageServer({ "large/1/file": large });
    const client = await stuckClient(server.download(largePath));
    await truncate(join(server.directory, "large/1/file"), 1);
    const drained = (async () => {
      for await (const _ of client);
    })();
    await expect(drained).rejects.toThrow("aborted");
    expect((await server.log.seen("package_download_ended")).reason).toContain("shorter");
  });

  it("are limited; more are told to come back", async () => {
    const server = await startPackageServer({ "large/1/file": large }, { maxDownloads: 1 });
    const client = await stuckClient(server.download(largePath));
    const { status, headers } = await fetchBytes(server.download(largePath));
    expect([status, headers["retry-after"]]).toEqual([503, "10"]);
    client.destroy();
    await server.log.seen("package_download_ended");
    expect((await fetchBytes(server.download(largePath))).status).toBe(200);
  });

  it("do not keep a server from stopping, nor leave a file open", async () => {
    const server = await startPackageServer({ "large/1/file": large });
    await writeFiles(server.directory, { "more/1/file": "x" });
    const client = await stuckClient(server.download(largePath));
    await server.server.close();
    expect(openFiles(server)).toEqual([]);
    client.destroy();
  });
});
