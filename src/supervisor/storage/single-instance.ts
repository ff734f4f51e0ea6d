import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { errorCode } from "../../foundation/errors.ts";
import type { StateDirectory } from "./state-directory.ts";

/** The state directory, held by this process until released or dead. */
export interface InstanceLock {
  release(): Promise<void>;
}

/**
 * Makes this process the only supervisor of a state directory. The kernel frees the lock (an abstract
 * socket, by the directory's identity) when the process dies, however it dies.
 * @throws Error that names the other supervisor.
 */
export async function lockInstance(directory: StateDirectory): Promise<InstanceLock> {
  const server = createServer((socket) => socket.destroy());
  const name = await lockName(directory.path("."));
  try {
    await listen(server, name);
  } catch (cause) {
    if (errorCode(cause) !== "EADDRINUSE") throw cause;
    const pid = new TextDecoder().decode(await directory.read("supervisor.pid")).trim();
    throw new Error(
      `another supervisor${pid === "" ? "" : ` (pid ${pid})`} uses ${directory.path(".")}: stop it, or give this one a storage.directory of its own`,
    );
  }
  server.unref();
  await directory.clearUnfinished().catch(() => undefined);
  // For people only; a disk that cannot be written must not keep the supervisor from starting.
  await directory.write("supervisor.pid", `${process.pid}\n`).catch(() => undefined);
  return {
    release: async () => {
      await directory.remove("supervisor.pid").catch(() => undefined);
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/**
 * Whether a supervisor lives that uses the state directory at `path`; it is not disturbed.
 * @throws when there is no such directory, or it may not be looked at.
 */
export async function isInstanceRunning(path: string): Promise<boolean> {
  const name = await lockName(path);
  return new Promise((resolve) => {
    const socket = connect(name);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function lockName(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true });
  const identity = createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32);
  return process.platform === "linux" ? `\0opamp-supervisor:${identity}` : join(path, "lock.sock");
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => resolve());
  });
}
