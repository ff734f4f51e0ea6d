import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { sourcesOf } from "../../../../../src/supervisor/packages/download/sources.ts";
import { tempDir } from "../../../../support/temp-dir.ts";
import { content, fileServer, get, leavePartial, serve } from "./support.ts";

const file = content(300_000);
const other = content(300_000);

const good = () => fileServer((request, response) => serve(request, response, file));
const wrong = () => fileServer((request, response) => serve(request, response, other));
const without = () => fileServer((_, response) => response.writeHead(404).end());

/** A folder with a file of that name, as URL. */
function folderWith(name: string, bytes: Buffer): string {
  const folder = tempDir();
  writeFileSync(join(folder, name), bytes);
  return pathToFileURL(folder).href;
}

describe("mirrors", () => {
  it("are tried in order before the offered URL, and are sent none of the offer's headers", async () => {
    const [first, second, offered] = [await without(), await good(), await good()];
    const getting = get(`${offered.origin}/v1/otelcol.tar.gz?sig=s`, file, {
      mirrors: [`${first.origin}/a`, `${second.origin}/b/?token=t`],
      headers: { Authorization: "Bearer s3cr3t", "X-Key": "s3cr3t" },
    });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(first.requests.map(({ url }) => url)).toEqual(["/a/otelcol.tar.gz"]);
    expect(second.requests.map(({ url }) => url)).toEqual(["/b/otelcol.tar.gz?token=t"]);
    expect(offered.requests).toEqual([]);
    expect(
      JSON.stringify([...first.requests, ...second.requests].map(({ rawHeaders }) => rawHeaders)),
    ).not.toContain("s3cr3t");
  });

  it("that fail are no problem while the offered URL works", async () => {
    const [first, offered] = [await without(), await good()];
    const getting = get(`${offered.origin}/f`, file, { mirrors: [first.origin] });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(getting.progress.every(({ problem }) => problem === undefined)).toBe(true);
  });

  it("may be a folder of this host, and slow nothing down", async () => {
    const mirrors = [folderWith("otelcol 1.tar.gz", file.bytes)];
    const getting = get("http://127.0.0.1:1/v1/otelcol%201.tar.gz", file, { mirrors, bytesPerSecond: 1 });
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(getting.read().equals(file.bytes)).toBe(true);
    expect(getting.clock.waits).toEqual([]);
  });

  it("that lack the file, or have a folder of its name, are passed over", async () => {
    const folder = tempDir();
    mkdirSync(join(folder, "f"));
    const offered = await good();
    const mirrors = [pathToFileURL(tempDir()).href, pathToFileURL(folder).href];
    expect(await get(`${offered.origin}/f`, file, { mirrors }).outcome).toMatchObject({ t: "done" });
  });

  it.each([
    ["another file", other.bytes],
    ["a larger one than is allowed", Buffer.alloc(5_000_000)],
  ])("that have %s are passed over", async (_, bytes) => {
    const offered = await good();
    const getting = get(`${offered.origin}/f`, file, { mirrors: [folderWith("f", bytes)] });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(getting.read().equals(file.bytes)).toBe(true);
    expect(offered.ranges).toEqual([undefined]);
  });

  it("go on with what another source began, and the other way round", async () => {
    const mirror = await fileServer((request, response, index) => {
      if (index === 0) serve(request, response, file, { etag: '"m"', breakAfter: 100_000 });
      else response.destroy();
    });
    const offered = await good();
    const getting = get(`${offered.origin}/f`, file, { mirrors: [mirror.origin] });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(mirror.ranges).toEqual([undefined, "bytes=100000-"]);
    expect(offered.requests.map(({ headers }) => [headers.range, headers["if-range"]])).toEqual([
      ["bytes=100000-", undefined],
    ]);
    expect(getting.read().equals(file.bytes)).toBe(true);
  });

  it("that begin with another file and break off do not spoil what the offered URL has", async () => {
    const mirror = await fileServer((request, response) => {
      if (request.headers.range !== undefined) response.destroy();
      else serve(request, response, other, { breakAfter: 100_000 });
    });
    const offered = await fileServer((request, response, index) => {
      if (index === 1) response.writeHead(503).end();
      else serve(request, response, file);
    });
    const getting = get(`${offered.origin}/f`, file, { mirrors: [mirror.origin] });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(getting.read().equals(file.bytes)).toBe(true);
    // Once the bytes of both did not fit together, it is asked for everything.
    expect(offered.ranges).toEqual(["bytes=100000-", undefined, undefined]);
  });

  it("too large cost nothing of what is there already", async () => {
    const path = leavePartial(file.bytes.subarray(0, 200_000), { sha256: file.sha256, source: "x" });
    const offered = await good();
    const mirror = await fileServer((_, response) =>
      response.writeHead(200, { "Content-Length": 1e10 }).flushHeaders(),
    );
    const { outcome } = get(`${offered.origin}/f`, file, { path, mirrors: [mirror.origin] });
    expect(await outcome).toMatchObject({ t: "done" });
    expect(offered.ranges).toEqual(["bytes=200000-"]);
  });

  it("are not asked for a URL that names no file", () => {
    const headers = {};
    for (const url of [
      "http://h/",
      "http://h/a/",
      "http://h/a%2fb",
      "http://h/%2e%2e%2fx",
      "http://h/a%00",
      "http://h/%zz",
    ]) {
      expect(sourcesOf({ url, headers }, ["file:///srv", "http://m"])).toHaveLength(1);
    }
    expect(sourcesOf({ url: "http://h/..x", headers }, ["file:///srv"])[0]).toMatchObject({
      path: "/srv/..x",
    });
  });
});

describe("a file that no source has", () => {
  it("is told with what each of them has instead", async () => {
    const [mirror, offered] = [await wrong(), await wrong()];
    const mirrors = [`${mirror.origin}/s3cr3t`, folderWith("f", Buffer.alloc(7))];
    const { outcome } = get(`http://me:s3cr3t@${offered.origin.slice(7)}/x/f`, file, { mirrors });
    const result = await outcome;
    expect(result).toMatchObject({ t: "failed", fault: "own" });
    const reason = "reason" in result ? result.reason : "";
    expect(reason).toContain(`${mirror.origin}/…/f: its 300000 bytes have the SHA-256 ${other.sha256}; /`);
    expect(reason).toContain("/f: its 7 bytes have the SHA-256");
    expect(reason).toMatch(
      new RegExp(`; ${offered.origin}/…/f: its 300000 bytes have the SHA-256 ${other.sha256}$`),
    );
    expect(reason).not.toContain("s3cr3t");
  });

  it("is bad although a mirror is out of reach", async () => {
    const [mirror, offered] = [await good(), await wrong()];
    await mirror.stop();
    const { outcome } = get(`${offered.origin}/f`, file, { mirrors: [mirror.origin] });
    expect(await outcome).toMatchObject({ t: "failed", fault: "own" });
    expect(offered.requests).toHaveLength(1);
  });

  it("is not given up while the offered URL is out of reach", async () => {
    const [mirror, offered] = [
      await wrong(),
      await fileServer((request, response, index) => {
        if (index < 20) response.writeHead(503).end();
        else serve(request, response, file);
      }),
    ];
    const getting = get(`${offered.origin}/f`, file, { mirrors: [mirror.origin] });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(getting.progress.map(({ problem }) => problem)).toContainEqual(
      expect.stringMatching(/SHA-256 .*; .*it answered HTTP 503$/),
    );
  });
});

describe("a file of a drop folder", () => {
  it("is copied from there, whatever the mirrors have", async () => {
    const mirror = await good();
    const getting = get(`${folderWith("f", file.bytes)}/f`, file, { mirrors: [mirror.origin] });
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(mirror.requests).toEqual([]);
  });

  it("is gone on with where a kill left it", async () => {
    const path = leavePartial(file.bytes.subarray(0, 100_000), { sha256: file.sha256, source: "x" });
    const getting = get(`${folderWith("f", file.bytes)}/f`, file, { path });
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(getting.progress[0]?.receivedBytes).toBe(100_000);
  });

  it("that is still being copied there is not taken for a bad one", async () => {
    const folder = tempDir();
    const source = join(folder, "f");
    writeFileSync(source, file.bytes.subarray(0, 100_000));
    const getting = get(pathToFileURL(source).href, file, {
      deps: {
        freeBytes: async () => {
          writeFileSync(source, file.bytes);
          return 1e12;
        },
      },
    });
    expect(await getting.outcome).toEqual({ t: "done", bytes: 300_000 });
    expect(getting.log).toContainEqual(
      expect.objectContaining({ reason: "it was changed while it was read" }),
    );
  });
});
