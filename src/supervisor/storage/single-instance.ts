import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { createServer, type Server } from "node:net";
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
  const { dev, ino } = await stat(directory.path("."), { bigint: true });
  const identity = createHash("sha256").update(`${dev}:${ino}`).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  const name = process.platform === "linux" ? `\0opamp-supervisor:${identity}` : directory.path("lock.sock");
  try {
    await listen(server, name);
  } catch (cause) {
    if (errorCode(cause) !== "EADDRINUSE") throw cause;
    const pid = new TextDecoder().decode(await directory.read("supervisor.pid")).trim();
    throw new Error(
      `another supervisor${pid === "" ? "" : ` (pid ${pid})`} uses ${directory.path(".")}: stop it, or give this one a storage.directory of its own`,
      { cause },
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

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => resolve());
  });
}
