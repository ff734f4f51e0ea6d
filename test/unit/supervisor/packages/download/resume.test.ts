import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { content, fileServer, get, leavePartial, type ServeOptions, sendBody, serve } from "./support.ts";

const file = content(300_000);
const half = 150_000;

/** The record beside a part of `file` that came from another source. */
const record = { sha256: file.sha256, source: "another source", totalBytes: 300_000 };

/** A server that breaks off at the middle of the file for the first request; counts the bytes that it sends. */
async function breakingServer(options: ServeOptions = {}) {
  const count = { sent: 0 };
  const server = await fileServer((request, response, index) => {
    const breakAfter = index === 0 ? { breakAfter: half } : {};
    count.sent += serve(request, response, file, { ...options, ...breakAfter });
  });
  return { server, count };
}

describe("a download that broke off", () => {
  it.each([
    ["a strong ETag", { etag: '"v1"', lastModified: "Thu, 01 Jan 2026 00:00:00 GMT" }, '"v1"'],
    ["a date", { lastModified: "Thu, 01 Jan 2026 00:00:00 GMT" }, "Thu, 01 Jan 2026 00:00:00 GMT"],
    [
      "a date beside a weak ETag",
      { etag: 'W/"v1"', lastModified: "Thu, 01 Jan 2026 00:00:00 GMT" },
      "Thu, 01 Jan 2026 00:00:00 GMT",
    ],
    ["a weak ETag", { etag: 'W/"v1"' }, undefined],
    ["nothing", {}, undefined],
  ])("goes on where it was, proving by %s that the file is the same (AP8)", async (_, options, proof) => {
    const { server, count } = await breakingServer(options);
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(server.ranges).toEqual([undefined, `bytes=${half}-`]);
    expect(server.requests[1]?.headers["if-range"]).toBe(proof);
    expect(count.sent).toBe(300_000);
    expect(getting.read().equals(file.bytes)).toBe(true);
  });

  it("goes on after a restart of the program, with what it noted beside the file", async () => {
    const { server, count } = await breakingServer({ etag: '"v1"' });
    const first = get(`${server.origin}/f`, file, {
      deps: { onProgress: ({ receivedBytes }) => receivedBytes === half && first.abort() },
    });
    expect(await first.outcome).toEqual({ t: "aborted" });
    const second = get(`${server.origin}/f`, file, { path: first.path });
    expect(await second.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(second.progress[0]?.receivedBytes).toBe(half);
    expect(server.requests[1]?.headers).toMatchObject({ range: `bytes=${half}-`, "if-range": '"v1"' });
    expect(count.sent).toBe(300_000);
  });

  it("asks for more of a server that gives a little at a time", async () => {
    const server = await fileServer((request, response) => {
      const start = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
      const end = Math.min(start + 100_000, 300_000);
      if (start > 0) {
        response.statusCode = 206;
        response.setHeader("Content-Range", `bytes ${start}-${end - 1}/300000`);
        sendBody(response, file.bytes.subarray(start, end));
      } else sendBody(response, file.bytes, 100_000);
    });
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
    expect(server.ranges).toEqual([undefined, "bytes=100000-", "bytes=200000-"]);
  });

  it("does not ask again when it broke after the last byte", async () => {
    const server = await fileServer((_, response) => {
      response.write(file.bytes, () => response.socket?.destroySoon());
    });
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
    expect(server.requests).toHaveLength(1);
  });

  it("takes up what a server lacks that said too much about its length", async () => {
    const server = await fileServer((request, response, index) => {
      if (index > 0) return void serve(request, response, file);
      response.setHeader("Content-Length", 400_000);
      response.write(file.bytes, () => response.socket?.destroySoon());
    });
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
  });

  it("ends at the first byte too few of a server that said too little", async () => {
    const server = await fileServer((_, response) => {
      response.setHeader("Content-Length", 299_999);
      response.end(file.bytes.subarray(0, 299_999));
    });
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "failed", fault: "own" });
    expect(server.requests).toHaveLength(1);
  });
});

describe("a download starts over", () => {
  it("when the file was changed between two parts (ETag)", async () => {
    const old = content(200_000);
    const server = await fileServer((request, response, index) => {
      if (index === 0) serve(request, response, old, { etag: '"old"', breakAfter: 100_000 });
      else serve(request, response, file, { etag: '"new"', ...(index === 1 && { breakAfter: 120_000 }) });
    });
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(server.requests.map(({ headers }) => [headers.range, headers["if-range"]])).toEqual([
      [undefined, undefined],
      ["bytes=100000-", '"old"'],
      ["bytes=120000-", '"new"'],
    ]);
  });

  it("when the file was changed and the server does not know If-Range", async () => {
    const old = content(300_000);
    const server = await fileServer((request, response, index) => {
      delete request.headers["if-range"];
      if (index === 0) serve(request, response, old, { etag: '"old"', breakAfter: 100_000 });
      else serve(request, response, file, { etag: '"new"' });
    });
    const { outcome, log } = get(`${server.origin}/f`, file);
    expect(await outcome).toMatchObject({ t: "done" });
    // It shows before the rest is fetched in vain.
    expect(log.map(({ event }) => event)).not.toContain("package_download_wrong");
    expect(server.ranges).toEqual([undefined, "bytes=100000-", undefined]);
  });

  it("when the server does not know Range", async () => {
    const server = await fileServer((_, response, index) => {
      sendBody(response, file.bytes, index === 0 ? half : undefined);
    });
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(server.ranges).toEqual([undefined, `bytes=${half}-`]);
    expect(getting.read().equals(file.bytes)).toBe(true);
  });

  it.each([
    ["begins elsewhere", { "Content-Range": "bytes 0-299999/300000" }],
    ["ends after the end", { "Content-Range": "bytes 150000-300000/300000" }],
    ["is of a file of another length", { "Content-Range": "bytes 150000-309999/310000" }],
    [
      "has another length than it says",
      { "Content-Range": "bytes 150000-299999/300000", "Content-Length": 7 },
    ],
    ["does not say what it is", {}],
    ["says nonsense", { "Content-Range": "bytes */x" }],
  ])("when a part %s", async (_, headers) => {
    const server = await fileServer((request, response, index) => {
      if (index === 1) response.writeHead(206, headers).end();
      else serve(request, response, file, index === 0 ? { breakAfter: half } : {});
    });
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
    expect(server.ranges).toEqual([undefined, `bytes=${half}-`, undefined]);
  });

  it("when there is more than the server has (HTTP 416)", async () => {
    const path = leavePartial(Buffer.alloc(299_000), { ...record, totalBytes: undefined });
    const shorter = content(200_000);
    const server = await fileServer((request, response) => serve(request, response, shorter));
    expect(await get(`${server.origin}/f`, shorter, { path }).outcome).toMatchObject({ t: "done" });
  });

  it("once, when what was there was not of this file", async () => {
    const path = leavePartial(Buffer.alloc(half, 7), record);
    const server = await fileServer((request, response) => serve(request, response, file));
    const getting = get(`${server.origin}/f`, file, { path });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(server.ranges).toEqual([`bytes=${half}-`, undefined]);
    expect(getting.read().equals(file.bytes)).toBe(true);
  });

  it("with patience as new", async () => {
    const other = content(300_000);
    const server = await fileServer((request, response, index) => {
      if (index === 0) serve(request, response, other, { breakAfter: half });
      else serve(request, response, file, index === 2 ? { breakAfter: 100_000 } : {});
    });
    const { outcome, log } = get(`${server.origin}/f`, file);
    expect(await outcome).toMatchObject({ t: "done" });
    expect(server.ranges).toEqual([undefined, `bytes=${half}-`, undefined, "bytes=100000-"]);
    expect(log.map(({ retry_ms }) => retry_ms).filter((each) => each !== undefined)).toEqual([1_000, 1_000]);
  });

  it("once only: then the file is bad", async () => {
    const path = leavePartial(Buffer.alloc(half, 7), record);
    const other = content(300_000);
    const server = await fileServer((request, response) => serve(request, response, other));
    expect(await get(`${server.origin}/f`, file, { path }).outcome).toMatchObject({
      t: "failed",
      fault: "own",
    });
    expect(server.ranges).toEqual([`bytes=${half}-`, undefined]);
  });

  it.each([
    ["of another file", { ...record, sha256: "00".repeat(32) }],
    ["that nobody knows", undefined],
    ["with a damaged record", { ...record, source: 7 }],
    ["that has as many bytes as the whole", { ...record, totalBytes: half }],
  ])("with a part %s", async (_, found) => {
    const path = leavePartial(Buffer.alloc(half), found);
    const server = await fileServer((request, response) => serve(request, response, file));
    const getting = get(`${server.origin}/f`, file, { path });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(server.ranges).toEqual([undefined]);
  });
});

it("the record beside a part holds no secret", async () => {
  const server = await fileServer((_, response) => {
    response.setHeader("Content-Length", 300_000);
    response.write(file.bytes.subarray(0, half));
  });
  const getting = get(`http://me:s3cr3t@${server.origin.slice(7)}/s3cr3t/f?sig=s3cr3t`, file, {
    headers: { Authorization: "s3cr3t" },
    deps: { onProgress: ({ receivedBytes }) => receivedBytes === half && getting.abort() },
  });
  await getting.outcome;
  expect(readFileSync(`${getting.path}.json`, "utf8")).not.toContain("s3cr3t");
  expect(JSON.stringify(getting.log)).not.toContain("s3cr3t");
});
