import { randomBytes } from "node:crypto";
import { chmod, rename, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { join } from "node:path";
import { describeError } from "../../../foundation/errors.ts";
import type { Logger } from "../../../foundation/logger.ts";
import { temporarySuffix } from "../../storage/atomic-file.ts";
import { Refusal } from "./refusal.ts";
import { controlSocketName, withSocketPath } from "./socket-path.ts";

/** Gives what becomes the JSON of the answer. `argument` is what stood in the place of the `*`. */
type Handler = (argument: string, query: URLSearchParams) => Promise<object>;

/** Handlers by request: `GET /v1/status`, or `DELETE /v1/quarantine/*`. */
export type ControlRoutes = Readonly<Record<string, Handler>>;

interface ControlServerDeps {
  /** The state directory. */
  directory: string;
  routes: ControlRoutes;
  logger: Logger;
  /** How long a peer may keep still while it asks or is answered; default 5 s. */
  stillMs?: number;
}

/** No request has a body, and a line and a few headers fit in this. */
const maxHeaderBytes = 4096;
const maxConnections = 8;
const requestTimeoutMs = 5_000;

/**
 * Answers HTTP on the socket `control.sock` of the state directory, for its owner and root alone; one that a
 * dead process left there is replaced.
 * @throws system errors when the socket cannot be made.
 */
export async function serveControl({
  directory,
  routes,
  logger,
  stillMs = requestTimeoutMs,
}: ControlServerDeps): Promise<{ close(): Promise<void> }> {
  const server = createServer({ maxHeaderSize: maxHeaderBytes, requestTimeout: requestTimeoutMs });
  server.maxConnections = maxConnections;
  server.on("connection", (socket) => socket.setTimeout(stillMs, () => socket.destroy()));
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request;
    request.resume();
    // The change under way may take its time; the peer only waits.
    socket.setTimeout(0);
    void answer(request, routes, logger).then(({ status, body }) => {
      socket.setTimeout(stillMs);
      response.writeHead(status, { "content-type": "application/json", connection: "close" });
      response.end(`${JSON.stringify(body, undefined, 2)}\n`);
    });
  });
  const path = join(directory, controlSocketName);
  const temporaryName = `${controlSocketName}.${randomBytes(4).toString("hex")}${temporarySuffix}`;
  try {
    await withSocketPath(directory, temporaryName, (address) => listen(server, address));
    // Made under a name that nobody can guess, it is never open to others.
    await chmod(join(directory, temporaryName), 0o600);
    await rename(join(directory, temporaryName), path);
  } catch (error) {
    server.close();
    await rm(join(directory, temporaryName), { force: true });
    throw error;
  }
  server.on("error", (error) => {
    logger.error(
      { event: "control_socket_failed", error: describeError(error) },
      "the control socket failed",
    );
  });
  return {
    async close() {
      // A disk that cannot be written must not keep a supervisor from stopping; the next one replaces the file.
      await rm(path, { force: true }).catch((error: unknown) => {
        const fields = { event: "control_socket_left", error: describeError(error) };
        logger.warn(fields, "the control socket cannot be removed");
      });
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Answer {
  status: number;
  body: object;
}

/** Never rejects. */
async function answer(request: IncomingMessage, routes: ControlRoutes, logger: Logger): Promise<Answer> {
  try {
    const { "content-length": length = "0", "transfer-encoding": encoding } = request.headers;
    if (length !== "0" || encoding !== undefined) throw new Refusal(413, "no request here takes a body");
    const { handler, argument } = findHandler(request, routes);
    const query = new URLSearchParams(request.url?.split("?")[1]);
    return { status: 200, body: await handler(argument, query) };
  } catch (error) {
    if (error instanceof Refusal) return { status: error.status, body: { error: error.message } };
    const fields = {
      event: "operator_command_failed",
      request: requestLine(request),
      error: describeError(error),
    };
    logger.error(fields, "a request on the control socket failed");
    return { status: 500, body: { error: describeError(error) } };
  }
}

function findHandler(
  request: IncomingMessage,
  routes: ControlRoutes,
): { handler: Handler; argument: string } {
  const line = requestLine(request);
  const exact = Object.hasOwn(routes, line) ? routes[line] : undefined;
  if (exact !== undefined) return { handler: exact, argument: "" };
  const [, start = "", argument = ""] = /^(.*\/)([^/]+)$/.exec(line) ?? [];
  const withArgument = Object.hasOwn(routes, `${start}*`) ? routes[`${start}*`] : undefined;
  if (withArgument !== undefined) return { handler: withArgument, argument: decode(argument) };
  throw new Refusal(404, `unknown request; known: ${Object.keys(routes).join(", ")}`);
}

function requestLine({ method, url }: IncomingMessage): string {
  return `${method} ${url?.split("?", 1)[0]}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal(400, "the path is not percent-encoded as it should be");
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}
