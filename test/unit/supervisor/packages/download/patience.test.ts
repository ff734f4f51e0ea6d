import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { content, fileServer, type Getting, get, serve } from "./support.ts";

const file = content(300_000);

/** How long a source was left alone after each failed try, in milliseconds. */
function pausesOf({ log }: Getting): unknown[] {
  return log.filter(({ event }) => event === "package_download_failed").map((each) => each.retry_ms);
}

function reasonsOf({ log }: Getting): unknown[] {
  return log.filter(({ event }) => event === "package_download_failed").map(({ reason }) => reason);
}

/** A server that fails a number of times, and then is as it should be. */
async function failing(times: number, status: number, headers: Record<string, string> = {}) {
  return fileServer((request, response, index) => {
    if (index < times) response.writeHead(status, headers).end("an error page");
    else serve(request, response, file);
  });
}

describe("a source in trouble", () => {
  it.each([500, 502, 503, 408, 429])(
    "that answers %i is tried again, after 1 s and then ever later",
    async (status) => {
      const server = await failing(12, status);
      const getting = get(`${server.origin}/f`, file);
      expect(await getting.outcome).toMatchObject({ t: "done" });
      const seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600];
      expect(pausesOf(getting)).toEqual(seconds.map((each) => each * 1_000));
      expect(reasonsOf(getting)[0]).toBe(`it answered HTTP ${status}`);
    },
  );

  it.each([
    ["a number of seconds", "120", 120_000],
    ["a date", "Thu, 01 Jan 2026 00:03:00 GMT", 180_000],
    ["less than it is left alone anyway", "0", 1_000],
    ["a year", "31536000", 3_600_000],
    ["nonsense", "soon", 1_000],
  ])("that asks for a pause is left alone: %s", async (_, retryAfter, pause) => {
    const server = await failing(1, 429, { "Retry-After": retryAfter });
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(pausesOf(getting)).toEqual([pause]);
  });

  it.each([
    [404, "it does not have the file (HTTP 404)"],
    [403, "it refused the credentials (HTTP 403); check the headers of the offer"],
    [400, "it answered HTTP 400"],
    [204, "it answered HTTP 204"],
    [304, "it answered HTTP 304"],
    [206, "it answered HTTP 206"],
    [416, "it answered HTTP 416"],
  ])("that answers %i is tried slowly, and the problem told at once", async (status, reason) => {
    const server = await failing(2, status);
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(pausesOf(getting)).toEqual([60_000, 60_000]);
    expect(getting.progress.map(({ problem }) => problem)).toContain(`${server.origin}/f: ${reason}`);
    expect(getting.progress.at(-1)?.problem).toBeUndefined();
  });

  it("that is not there is told of after three tries", async () => {
    const placeholder = await fileServer(() => undefined);
    const { port } = new URL(placeholder.origin);
    await placeholder.stop();
    const getting = get(`http://127.0.0.1:${port}/f`, file, {
      deps: {
        onProgress: ({ problem }) => {
          if (problem === undefined) return;
          problems.push({ problem, tries: pausesOf(getting).length });
          getting.abort();
        },
      },
    });
    const problems: { problem: string; tries: number }[] = [];
    expect(await getting.outcome).toEqual({ t: "aborted" });
    expect(problems[0]?.problem).toBe(`http://127.0.0.1:${port}/f: connect ECONNREFUSED 127.0.0.1:${port}`);
    expect(problems[0]?.tries).toBeGreaterThanOrEqual(3);
  });

  it("that gives another byte each time is in no trouble", async () => {
    const server = await fileServer((request, response, index) => {
      serve(request, response, file, index < 6 ? { breakAfter: 10_000 } : {});
    });
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(pausesOf(getting)).toEqual(Array(6).fill(1_000));
    expect(getting.progress.every(({ problem }) => problem === undefined)).toBe(true);
  });

  it("that breaks at the same byte each time, and knows no Range, is tried ever later", async () => {
    const server = await fileServer((request, response, index) => {
      delete request.headers.range;
      serve(request, response, file, index < 4 ? { breakAfter: 10_000 } : {});
    });
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(pausesOf(getting)).toEqual([1_000, 2_000, 4_000, 8_000]);
    expect(getting.progress.map(({ problem }) => problem)).toContainEqual(expect.stringContaining("aborted"));
  });
});

describe("a source that is silent", () => {
  it("before its answer is given up, and tried again", async () => {
    const server = await fileServer((request, response, index) => {
      if (index === 0) getting.clock.stall();
      else serve(request, response, file);
    });
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(reasonsOf(getting)).toEqual(["it was silent for 31.337 s"]);
  });

  it("in the middle of the file is given up, and gone on with from there", async () => {
    let isSilent = false;
    const server = await fileServer((request, response, index) => {
      if (index > 0) return void serve(request, response, file);
      response.setHeader("Content-Length", 300_000);
      response.write(file.bytes.subarray(0, 1_000));
    });
    const getting = get(`${server.origin}/f`, file, {
      deps: {
        onProgress: ({ receivedBytes }) => {
          if (receivedBytes !== 1_000 || isSilent) return;
          isSilent = true;
          setImmediate(() => getting.clock.stall());
        },
      },
    });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(server.ranges).toEqual([undefined, "bytes=1000-"]);
    expect(reasonsOf(getting)).toEqual(["it was silent for 31.337 s"]);
  });

  it("that is no HTTP server at all is given up", async () => {
    // What accepts, but is no HTTP server and says nothing.
    const listener = createServer((socket) => {
      socket.on("error", () => undefined);
      sockets.push(socket);
      if (sockets.length === 1) getting.clock.stall();
      else getting.abort();
    });
    const sockets: { destroy(): void }[] = [];
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    onTestFinished(async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, "close");
    });
    const getting = get(`http://127.0.0.1:${(listener.address() as AddressInfo).port}/f`, file);
    expect(await getting.outcome).toEqual({ t: "aborted" });
    expect(reasonsOf(getting)).toEqual(["it was silent for 31.337 s"]);
  });

  it("is waited for no longer once the download is aborted", async () => {
    const server = await fileServer(() => getting.abort());
    const getting = get(`${server.origin}/f`, file);
    expect(await getting.outcome).toEqual({ t: "aborted" });
    expect(getting.clock.isListening).toBe(false);
  });
});

it("a download is aborted while it waits for the next try", async () => {
  const server = await failing(1, 500);
  const getting = get(`${server.origin}/f`, file, {
    deps: {
      clock: {
        now: () => 0,
        monotonic: () => 0,
        setTimer: (delayMs) => {
          // The wait before the second try never ends by itself.
          if (delayMs === 1_000 && getting.log.length > 1) queueMicrotask(() => getting.abort());
          return { cancel: () => undefined };
        },
      },
    },
  });
  expect(await getting.outcome).toEqual({ t: "aborted" });
  expect(server.requests).toHaveLength(1);
});

it("a bandwidth limit makes the file come no faster", async () => {
  const server = await fileServer((request, response) => serve(request, response, file));
  const getting = get(`${server.origin}/f`, file, { bytesPerSecond: 10_000 });
  expect(await getting.outcome).toMatchObject({ t: "done" });
  const waited = getting.clock.waits.reduce((sum, each) => sum + each, 0);
  // All but what passes in the first second, and what the tests' clock gave while progress was told.
  expect(waited).toBeGreaterThan(20_000);
  expect(getting.clock.monotonic()).toBeGreaterThanOrEqual(28_000);
});
