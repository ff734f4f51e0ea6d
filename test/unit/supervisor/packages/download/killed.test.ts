import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { eventually } from "../../../../support/eventually.ts";
import { processGroup } from "../../../../support/processes.ts";
import { tempDir } from "../../../../support/temp-dir.ts";
import { content, fileServer } from "./support.ts";

const child = fileURLToPath(new URL("../../../../support/download-in-child.ts", import.meta.url));

it("a download that is killed at random bytes goes on from the last one on disk, and fetches none twice", async () => {
  const file = content(3_000_000);
  const path = join(tempDir(), "file");
  const group = processGroup();
  const kills = [0, 1, 2].map((nth) => Math.floor((nth + Math.random()) * 900_000));
  const onDisk = () => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const asked: { start: number; condition: unknown; onDisk: number }[] = [];
  let killAt: number | undefined;
  let kill: () => void = () => undefined;
  const server = await fileServer((request, response) => {
    const { range, "if-range": condition } = request.headers;
    const start = Number(/\d+/.exec(range ?? "0")?.[0]);
    asked.push({ start, condition, onDisk: onDisk() });
    response.statusCode = start > 0 ? 206 : 200;
    response.setHeader("ETag", '"v1"');
    response.setHeader("Content-Length", file.bytes.length - start);
    if (start > 0) response.setHeader("Content-Range", `bytes ${start}-2999999/3000000`);
    // Small pieces, so that it is killed somewhere inside; once it is to be killed, nothing more comes.
    const more = (at: number) => {
      if (response.destroyed) return;
      if (killAt !== undefined && at >= killAt) return kill();
      const end = Math.min(at + 20_011, file.bytes.length, killAt ?? file.bytes.length);
      if (end === file.bytes.length) response.end(file.bytes.subarray(at));
      else response.write(file.bytes.subarray(at, end), () => setImmediate(more, end));
    };
    more(start);
  });
  const settings = { mirrors: [], maxBytes: 1e9, stallTimeoutMs: 30_000 };
  const request = { url: `${server.origin}/f`, headers: {}, sha256: file.sha256, path };
  const start = () =>
    group.launch(process.execPath, [child, JSON.stringify(request), JSON.stringify(settings)]);

  for (const at of kills) {
    const before = onDisk();
    killAt = Math.max(at, before + 100_000);
    const killed = new Promise<void>((resolve) => {
      kill = resolve;
    });
    const program = await start();
    await killed;
    await eventually("something arrived", () => onDisk() > before);
    expect(await program.kill("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
    expect(readFileSync(path).equals(file.bytes.subarray(0, onDisk()))).toBe(true);
  }
  killAt = undefined;
  const { outcome } = await (await start()).waitFor("outcome");
  expect(outcome).toEqual({ t: "done", bytes: 3_000_000 });
  expect(readFileSync(path).equals(file.bytes)).toBe(true);
  expect(readdirSync(dirname(path))).toEqual(["file"]);
  expect(existsSync(`${path}.json`)).toBe(false);
  expect(asked).toHaveLength(kills.length + 1);
  for (const each of asked) {
    expect(each).toEqual({ ...each, start: each.onDisk, condition: each.start > 0 ? '"v1"' : undefined });
  }
}, 30_000);
