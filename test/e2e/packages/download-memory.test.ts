import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { processGroup } from "../../support/processes.ts";
import { tempDir } from "../../support/temp-dir.ts";

const child = fileURLToPath(new URL("../../support/download-in-child.ts", import.meta.url));
const pieces = 300;
/** What the launcher gives Node: without them the heap grows as it likes before anything is collected. */
const launcherFlags = ["--no-opt", "--no-maglev", "--max-semi-space-size=1", "--max-old-space-size=96"];

it("a download of 300 MB takes no memory worth a fraction of it", async () => {
  const piece = randomBytes(1_000_000);
  const hash = createHash("sha256");
  for (let index = 0; index < pieces; index += 1) hash.update(piece);
  const server = createServer((_, response) => {
    response.setHeader("Content-Length", pieces * piece.length);
    const more = (left: number) => {
      if (left === 0) response.end();
      else if (!response.destroyed) response.write(piece, () => more(left - 1));
    };
    more(pieces);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const path = join(tempDir(), "file");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/f`;
  const request = { url, headers: {}, sha256: hash.digest("hex"), path };
  const settings = { mirrors: [], maxBytes: 1e9, stallTimeoutMs: 30_000 };
  const program = await processGroup().launch(process.execPath, [
    ...launcherFlags,
    child,
    JSON.stringify(request),
    JSON.stringify(settings),
  ]);
  const { outcome, rssBefore, peakRss } = await program.waitFor("outcome", { timeoutMs: 50_000 });
  expect(outcome).toEqual({ t: "done", bytes: 300_000_000 });
  expect(statSync(path).size).toBe(300_000_000);
  expect(Number(peakRss) - Number(rssBefore)).toBeGreaterThan(0);
  expect(Number(peakRss) - Number(rssBefore)).toBeLessThan(300_000_000 / 4);
});
