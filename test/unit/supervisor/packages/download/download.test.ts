import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { tempDir } from "../../../../support/temp-dir.ts";
import { content, fileServer, get, leavePartial, serve } from "./support.ts";

const file = content(300_000);

describe("a download", () => {
  it("puts the offered file, and nothing else, into the folder, for this user only (AP5)", async () => {
    const server = await fileServer((request, response) => serve(request, response, file));
    const getting = get(`${server.origin}/otelcol.tar.gz?x=1`, file, {
      headers: { Authorization: "Bearer t" },
    });
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(getting.read().equals(file.bytes)).toBe(true);
    expect(readdirSync(dirname(getting.path))).toEqual(["file"]);
    expect(statSync(getting.path).mode & 0o777).toBe(0o600);
    const [request] = server.requests;
    expect(request?.url).toBe("/otelcol.tar.gz?x=1");
    expect(request?.headers).toMatchObject({ authorization: "Bearer t", "accept-encoding": "identity" });
    expect(request?.headers).not.toHaveProperty("range");
  });

  it("says how far it is at the start and at the end", async () => {
    const server = await fileServer((request, response) => serve(request, response, file));
    const { outcome, progress } = get(`${server.origin}/f`, file);
    await outcome;
    expect(progress[0]).toEqual({
      receivedBytes: 0,
      totalBytes: undefined,
      bytesPerSecond: 0,
      problem: undefined,
    });
    expect(progress.at(-1)).toMatchObject({
      receivedBytes: 300_000,
      totalBytes: 300_000,
      problem: undefined,
    });
  });

  it("takes a file whose length nobody told", async () => {
    const server = await fileServer((_, response) => {
      response.write(file.bytes.subarray(0, 1000));
      response.end(file.bytes.subarray(1000));
    });
    expect(await get(`${server.origin}/f`, file).outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(server.requests).toHaveLength(1);
  });

  it("takes an empty file", async () => {
    const empty = content(0);
    expect(await get("http://127.0.0.1:1/f", empty).outcome).toEqual({ t: "done", bytes: 0 });
  });

  it("asks nobody for a file that is there already", async () => {
    const path = leavePartial(file.bytes, undefined);
    expect(await get("http://127.0.0.1:1/f", file, { path }).outcome).toEqual({ t: "done", bytes: 300_000 });
  });

  it("asks nobody when it was killed between the last byte and the end", async () => {
    const path = leavePartial(file.bytes, { sha256: file.sha256, source: "x", totalBytes: 300_000 });
    expect(await get("http://127.0.0.1:1/f", file, { path }).outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(existsSync(`${path}.json`)).toBe(false);
  });

  it("fails for a file that has another hash, and leaves nothing behind (AP6, P12)", async () => {
    const other = content(1000);
    const server = await fileServer((request, response) => serve(request, response, other));
    const { outcome, path } = get(`${server.origin}/folder/f?sig=s3cr3t`, file);
    expect(await outcome).toEqual({
      t: "failed",
      fault: "own",
      reason: `no source has the file with the offered SHA-256 ${file.sha256}: ${server.origin}/…/f: its 1000 bytes have the SHA-256 ${other.sha256}`,
    });
    expect(server.requests).toHaveLength(1);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("refuses a file that says it has 10 GiB before it takes a byte of it", async () => {
    let sent = 0;
    const server = await fileServer((_, response) => {
      response.setHeader("Content-Length", 10 * 1024 ** 3);
      response.flushHeaders();
      response.on("close", () => (sent = response.writableLength));
    });
    const { outcome, path } = get(`${server.origin}/f`, file, { maxBytes: 1_000_000 });
    expect(await outcome).toMatchObject({
      fault: "own",
      reason: expect.stringContaining(
        "it has 10737418240 bytes, more than packages.max_size allows (1000000 bytes)",
      ),
    });
    expect(sent).toBe(0);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("cuts a file that goes on for ever, and has never more of it than allowed", async () => {
    let largest = 0;
    const server = await fileServer((_, response) => {
      const more = () => response.destroyed || response.write(Buffer.alloc(50_000), () => setImmediate(more));
      more();
    });
    const getting = get(`${server.origin}/f`, file, {
      maxBytes: 1_000_000,
      deps: {
        onProgress: () => {
          largest = Math.max(largest, statSync(getting.path, { throwIfNoEntry: false })?.size ?? 0);
        },
      },
    });
    expect(await getting.outcome).toMatchObject({
      fault: "own",
      reason: expect.stringContaining("it goes on, more than packages.max_size allows"),
    });
    expect(largest).toBeGreaterThan(100_000);
    expect(largest).toBeLessThanOrEqual(1_000_000);
    expect(existsSync(getting.path)).toBe(false);
  });

  it("refuses a content encoding, which it did not ask for, and goes on trying", async () => {
    const server = await fileServer((request, response, index) => {
      if (index === 0) response.setHeader("Content-Encoding", "gzip");
      serve(request, response, file);
    });
    const { outcome, log } = get(`${server.origin}/f`, file);
    expect(await outcome).toMatchObject({ t: "done" });
    expect(log).toContainEqual(
      expect.objectContaining({ reason: "it sends the file in a content encoding, which was not asked for" }),
    );
  });

  it("keeps what it has when it is aborted", async () => {
    const server = await fileServer((_, response) => {
      response.setHeader("Content-Length", file.bytes.length);
      response.write(file.bytes.subarray(0, 100_000));
    });
    const getting = get(`${server.origin}/f`, file, {
      deps: { onProgress: ({ receivedBytes }) => receivedBytes === 100_000 && getting.abort() },
    });
    expect(await getting.outcome).toEqual({ t: "aborted" });
    expect(getting.read().equals(file.bytes.subarray(0, 100_000))).toBe(true);
    expect(existsSync(`${getting.path}.json`)).toBe(true);
  });

  it("is aborted before it began", async () => {
    const abort = AbortSignal.abort(new Error("no"));
    const { outcome } = get("http://127.0.0.1:1/f", file, { deps: { signal: abort } });
    expect(await outcome).toEqual({ t: "aborted" });
  });

  it("does not follow a link where the file belongs", async () => {
    const folder = tempDir();
    writeFileSync(join(folder, "victim"), "precious");
    symlinkSync(join(folder, "victim"), join(folder, "file"));
    const { outcome } = get("http://127.0.0.1:1/f", file, { path: join(folder, "file") });
    expect(await outcome).toMatchObject({ fault: "host", reason: expect.stringContaining("ELOOP") });
    expect(readFileSync(join(folder, "victim"), "utf8")).toBe("precious");
  });

  it("tells a folder that it cannot use from a file that is bad", async () => {
    const folder = tempDir();
    writeFileSync(join(folder, "packages"), "");
    const { outcome } = get("http://127.0.0.1:1/f", file, { path: join(folder, "packages", "f") });
    expect(await outcome).toMatchObject({
      fault: "host",
      reason: expect.stringMatching(/^cannot write .*EEXIST|ENOTDIR/),
    });
  });
});

describe("the space that a download needs", () => {
  const reserve = 64 * 1024 * 1024;

  it("is looked for before the first byte, and the failure names both numbers", async () => {
    const server = await fileServer((request, response) => serve(request, response, file));
    const { outcome, path } = get(`${server.origin}/f`, file, {
      deps: { freeBytes: async () => 300_000 + reserve - 1 },
    });
    expect(await outcome).toEqual({
      t: "failed",
      fault: "host",
      reason: `not enough space in ${dirname(path)}: ${300_000 + reserve} bytes are needed (300000 for the file, the rest stays free), ${300_000 + reserve - 1} are free`,
    });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  it("is that of the rest, when a part is there", async () => {
    const server = await fileServer((request, response) => serve(request, response, file));
    const path = leavePartial(file.bytes.subarray(0, 200_000), { sha256: file.sha256, source: "x" });
    const deps = { freeBytes: async () => 100_000 + reserve };
    expect(await get(`${server.origin}/f`, file, { path, deps }).outcome).toMatchObject({ t: "done" });
  });

  it("is looked at again on the way, and given back when it runs out", async () => {
    const large = content(40_000_000);
    const server = await fileServer((_, response) => response.writeHead(200).end(large.bytes));
    const free = [1e12, 1e12, 1000];
    const { outcome, path } = get(`${server.origin}/f`, large, {
      deps: { freeBytes: async () => free.shift() ?? 1e12 },
    });
    expect(await outcome).toMatchObject({ fault: "host", reason: expect.stringContaining("1000 are free") });
    expect(existsSync(path)).toBe(false);
  });
});

it("a download makes its folder for this user only", async () => {
  const server = await fileServer((request, response) => serve(request, response, file));
  const { outcome, path } = get(`${server.origin}/f`, file, { path: join(tempDir(), "a", "b", "f") });
  await outcome;
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
});
