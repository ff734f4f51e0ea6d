import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { fetchBytes } from "../../../support/raw-agent.ts";
import { tempDir } from "../../../support/temp-dir.ts";
import { startTestServer } from "../test-server.ts";

const page = "<!doctype html><title>of a test</title>";
const script = `console.log("${"x".repeat(4000)}");`;

function builtUi(): string {
  const folder = tempDir();
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), page);
  writeFileSync(join(folder, "assets/app-1.js"), script);
  writeFileSync(join(folder, "assets/app-1.js.br"), brotliCompressSync(script));
  writeFileSync(join(folder, "assets/app-1.js.gz"), gzipSync(script));
  return folder;
}

describe("the web UI", () => {
  it("is served under a policy that takes nothing from elsewhere, in nobody's frame", async () => {
    const { api } = await startTestServer({}, { web: builtUi() });
    const { status, headers, body } = await fetchBytes(api("/"));
    expect([status, body.toString(), headers["content-type"]]).toEqual([
      200,
      page,
      "text/html; charset=utf-8",
    ]);
    expect(headers["content-security-policy"]).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    expect(headers).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cache-control": "no-cache",
    });
  });

  it.each([
    ["br, gzip", "br"],
    ["gzip", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["identity", undefined],
  ])("sends files as the build has compressed them: %s", async (accepts, encoding) => {
    const { api } = await startTestServer({}, { web: builtUi() });
    const { headers, body } = await fetchBytes(api("/assets/app-1.js"), {
      headers: { "accept-encoding": accepts },
    });
    expect(headers["content-encoding"]).toBe(encoding);
    expect(headers["cache-control"]).toBe("public, max-age=31536000, immutable");
    const sent =
      { br: brotliCompressSync(script), gzip: gzipSync(script) }[encoding ?? ""] ?? Buffer.from(script);
    expect(body.equals(sent)).toBe(true);
  });

  it.each(["/assets/app-2.js", "/assets/..%2findex.html", "/assets/app-1.js.br"])(
    "has nothing at %s",
    async (path) => {
      const { api } = await startTestServer({}, { web: builtUi() });
      expect((await fetchBytes(api(path))).status).toBe(404);
    },
  );

  it("leaves the API as it is where none was built", async () => {
    const { api } = await startTestServer();
    const { status, body } = await fetchBytes(api("/"));
    expect([status, body.toString()]).toEqual([404, expect.stringContaining("/api/v1/agents")]);
  });
});
