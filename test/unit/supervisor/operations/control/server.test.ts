import { once } from "node:events";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LogFields, silentLogger } from "../../../../../src/foundation/logger.ts";
import { askSupervisor, type Reply } from "../../../../../src/supervisor/operations/control/client.ts";
import { Refusal } from "../../../../../src/supervisor/operations/control/refusal.ts";
import { type ControlRoutes, serveControl } from "../../../../../src/supervisor/operations/control/server.ts";
import { lockInstance } from "../../../../../src/supervisor/storage/single-instance.ts";
import { StateDirectory } from "../../../../../src/supervisor/storage/state-directory.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";
import { tempDir } from "../../../../support/temp-dir.ts";

async function serving(routes: ControlRoutes, options: { directory?: string; stillMs?: number } = {}) {
  const directory = options.directory ?? tempDir();
  const errors: LogFields[] = [];
  const logger = { ...silentLogger, error: (fields: LogFields) => errors.push(fields) };
  const server = await serveControl({ stillMs: 5_000, ...options, directory, routes, logger });
  onTestFinished(() => server.close());
  return { directory, server, errors, path: join(directory, "control.sock") };
}

const ask = (directory: string, path = "/v1/here", method: "GET" | "DELETE" = "GET") =>
  askSupervisor(directory, { method, path, timeoutMs: 5_000 });

const routes: ControlRoutes = {
  "GET /v1/here": async () => ({ here: true }),
  "DELETE /v1/things/*": async (name) => ({ name }),
};

const answered = (status: number, body: unknown): Reply => ({
  t: "answered",
  status,
  text: `${JSON.stringify(body, undefined, 2)}\n`,
});

/** Sends raw text and resolves to all that comes back before the other side closes. */
async function raw(path: string, text: string): Promise<string> {
  const socket = connect(path);
  socket.write(text);
  return closed(socket);
}

async function closed(socket: Socket): Promise<string> {
  let received = "";
  socket.on("data", (data) => {
    received += data.toString();
  });
  // Being cut off is an answer too.
  socket.on("error", () => undefined);
  await new Promise((resolve) => {
    socket.on("close", resolve);
  });
  return received;
}

describe("the control socket", () => {
  it("answers known requests, and names them to who asks for another", async () => {
    const { directory } = await serving(routes);
    expect(await ask(directory)).toEqual(answered(200, { here: true }));
    expect(await ask(directory, "/v1/here?x=1")).toEqual(answered(200, { here: true }));
    expect(await ask(directory, "/v1/things/a%2Fb", "DELETE")).toEqual(answered(200, { name: "a/b" }));
    const unknown = { error: "unknown request; known: GET /v1/here, DELETE /v1/things/*" };
    expect(await ask(directory, "/v1/nothing")).toEqual(answered(404, unknown));
    expect(await ask(directory, "/v1/here", "DELETE")).toEqual(answered(404, unknown));
    expect(await ask(directory, "/v1/things/%ff", "DELETE")).toMatchObject({ status: 400 });
  });

  it("is its owner's alone, and gone when it is closed", async () => {
    const { directory, server, path } = await serving(routes);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(directory)).toEqual(["control.sock"]);
    await server.close();
    expect(await readdir(directory)).toEqual([]);
    expect(await ask(directory)).toEqual({ t: "not-running" });
  });

  it("takes the place of what a dead supervisor left", async () => {
    const directory = tempDir();
    await writeFile(join(directory, "control.sock"), "");
    await serving(routes, { directory });
    expect(await ask(directory)).toEqual(answered(200, { here: true }));
  });

  it("works in a directory whose path is longer than a socket address", async () => {
    const directory = join(tempDir(), "d".repeat(120));
    await mkdir(directory);
    const { server } = await serving(routes, { directory });
    expect(await ask(directory)).toEqual(answered(200, { here: true }));
    await server.close();
    expect(await readdir(directory)).toEqual([]);
  });

  it("leaves nothing behind where it cannot be made", async () => {
    const directory = tempDir();
    await mkdir(join(directory, "control.sock", "in-the-way"), { recursive: true });
    await expect(serving(routes, { directory })).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST/);
    expect(await readdir(directory)).toEqual(["control.sock"]);
  });

  it("answers a refusal with its words, and logs what should not fail", async () => {
    const { directory, errors } = await serving({
      "GET /v1/refused": async () => {
        throw new Refusal(409, "not clear which");
      },
      "GET /v1/broken": async () => {
        throw new Error("it broke");
      },
    });
    expect(await ask(directory, "/v1/refused")).toEqual(answered(409, { error: "not clear which" }));
    expect(errors).toEqual([]);
    expect(await ask(directory, "/v1/broken")).toEqual(answered(500, { error: "it broke" }));
    expect(errors).toMatchObject([{ event: "operator_command_failed", request: "GET /v1/broken" }]);
  });

  it("refuses bodies and large requests", async () => {
    const { path } = await serving(routes);
    const post = "GET /v1/here HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
    expect(await raw(path, post)).toMatch(/^HTTP\/1.1 413 /);
    expect(await raw(path, `GET /${"x".repeat(5_000)} HTTP/1.1\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
    expect(await raw(path, "\0\0\0\0\r\n\r\n")).toMatch(/^HTTP\/1.1 400 /);
  });

  it("lets go of who says nothing, but not of who waits for an answer", async () => {
    const waiting = Promise.withResolvers<object>();
    const { directory, path } = await serving({ "GET /v1/here": () => waiting.promise }, { stillMs: 50 });
    const answer = ask(directory);
    const silent = connect(path);
    silent.write("GET /v1/he");
    expect(await closed(silent)).toBe("");
    waiting.resolve({ late: true });
    expect(await answer).toEqual(answered(200, { late: true }));
  });

  it("takes only so many connections at once", async () => {
    const { path } = await serving(routes);
    const sockets = Array.from({ length: 8 }, () => connect(path));
    await Promise.all(sockets.map((socket) => once(socket, "connect")));
    expect(await raw(path, "GET /v1/here HTTP/1.1\r\nHost: x\r\n\r\n")).toBe("");
    for (const socket of sockets) socket.destroy();
  });
});

describe("askSupervisor", () => {
  it("tells a supervisor that has no socket from none at all", async () => {
    const directory = tempDir();
    expect(await ask(directory)).toEqual({ t: "not-running" });
    const state = await StateDirectory.open(directory, { clock: new ManualClock(), logger: silentLogger });
    const lock = await lockInstance(state);
    onTestFinished(() => lock.release());
    expect(await ask(directory)).toMatchObject({
      t: "silent",
      why: expect.stringContaining("does not listen"),
    });
  });

  it("without the directory says that none runs", async () => {
    expect(await ask(join(tempDir(), "none"))).toEqual({ t: "not-running" });
  });

  it("gives up on a supervisor that hangs, after having told that it waits", async () => {
    const directory = tempDir();
    const server = createServer();
    server.listen(join(directory, "control.sock"));
    await once(server, "listening");
    onTestFinished(() => void server.close());
    server.on("connection", (socket) => onTestFinished(() => void socket.destroy()));
    const reply = await askSupervisor(directory, { method: "GET", path: "/", timeoutMs: 30 });
    expect(reply).toEqual({ t: "silent", why: "no answer within 0.03 s" });
  });
});
