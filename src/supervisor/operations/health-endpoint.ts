import { createServer, type Server } from "node:http";

/** What the endpoint answers from. */
export interface HealthSource {
  /** Whether the supervisor itself works: its state is loaded and its local link listens. */
  supervisorWorks(): boolean;
}

/** As `listen()` of node:http takes it. */
export type HealthAddress = { host?: string | undefined; port: number } | { path: string };

/**
 * Serves `GET /health`: 200 while the supervisor works, 503 otherwise, whatever the server or the
 * Collector do, as in the reference.
 * @throws when the address cannot be bound; the message names it.
 */
export async function serveHealth(
  address: HealthAddress,
  source: HealthSource,
): Promise<{ close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const known = new URL(request.url ?? "/", "http://localhost").pathname === "/health";
    const status = !known ? 404 : source.supervisorWorks() ? 200 : 503;
    response.writeHead(status, { "content-type": "text/plain" });
    response.end(
      known ? (status === 200 ? "ok\n" : "unavailable\n") : "not found: this endpoint serves /health\n",
    );
  });
  await listen(server, address);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, address: HealthAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const where = "path" in address ? address.path : `${address.host ?? ""}:${address.port}`;
      reject(
        new Error(`healthcheck.endpoint: cannot listen on ${where}; is something else using it?`, { cause }),
      );
    });
    server.listen(address, () => resolve());
  });
}
