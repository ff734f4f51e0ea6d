import { once } from "node:events";
import { createServer, type Server } from "node:net";

/** Below the range that the kernel gives to outgoing connections, which could take a port in between. */
const range = { first: 20_000, last: 32_000 };

/**
 * A TCP port of loopback that is free and that no other test on this machine is given: it stays
 * reserved, by an abstract socket of its name, until this process ends.
 */
export async function freePort(): Promise<number> {
  const start = range.first + Math.floor(Math.random() * (range.last - range.first));
  for (let port = start; port < range.last; port += 1) {
    const reservation = await reserve(port);
    if (reservation === undefined) continue;
    const probe = await tryListen((server) => server.listen(port));
    if (probe !== undefined) {
      probe.close();
      await once(probe, "close");
      return port;
    }
    reservation.close();
  }
  return freePort();
}

/** A port for each name. */
export async function freePorts<Name extends string>(...names: Name[]): Promise<Record<Name, number>> {
  const ports = await Promise.all(names.map(async (name) => [name, await freePort()] as const));
  return Object.fromEntries(ports) as Record<Name, number>;
}

/** Abstract sockets are Linux's; elsewhere a port is free but could be handed out twice. */
function reserve(port: number): Promise<Server | undefined> {
  return process.platform === "linux"
    ? tryListen((server) => server.listen(`\0opamp-test-port-${port}`))
    : Promise.resolve(createServer());
}

async function tryListen(listen: (server: Server) => void): Promise<Server | undefined> {
  const server = createServer().unref();
  try {
    const listening = once(server, "listening");
    listen(server);
    await listening;
    return server;
  } catch {
    return undefined;
  }
}
