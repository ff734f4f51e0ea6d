import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

interface Numbered {
  attributes?: { key: string; value: { intValue?: string | number } }[];
}

/** The parts of an OTLP/HTTP JSON request that hold the records of otlp-sender.ts. */
interface OtlpRequest {
  resourceLogs?: { scopeLogs?: { logRecords?: Numbered[] }[] }[];
  resourceSpans?: { scopeSpans?: { spans?: Numbered[] }[] }[];
}

/**
 * The backend of a Collector: takes OTLP/HTTP in JSON and counts the numbered records it gets. The
 * `otlphttp` exporter needs `encoding: json` and `compression: none`; see {@link exporter}.
 */
export class OtlpSink implements AsyncDisposable {
  /** How often each number came. */
  readonly received = new Map<number, number>();
  /** Set it to have requests refused with this status, such as 503. */
  refuseWith: number | undefined;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  static async start(port = 0): Promise<OtlpSink> {
    const server = createServer();
    const sink = new OtlpSink(server);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return sink;
  }

  private constructor(server: Server) {
    this.#server = server;
    server.on("request", (request, response) => {
      this.#take(request, response).catch(() => response.destroy());
    });
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The value of `exporters: otlphttp:` that sends here, as a Collector configuration wants it. */
  get exporter(): { endpoint: string; encoding: "json"; compression: "none" } {
    return { endpoint: this.endpoint, encoding: "json", compression: "none" };
  }

  /** Resolves when all of these numbers have come. */
  async waitFor(numbers: Iterable<number>, timeoutMs = 20_000): Promise<void> {
    const missing = () => [...numbers].filter((number) => !this.received.has(number));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const check = () => (missing().length === 0 ? resolve() : undefined);
    const timer = setTimeout(() => {
      reject(new Error(`records ${missing().join(", ")} did not come within ${timeoutMs} ms`));
    }, timeoutMs);
    this.#waiting.add(check);
    check();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(check);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers["content-type"] !== "application/json") {
      request.resume();
      // An empty request only asks whether somebody is there.
      response.writeHead(request.headers["content-length"] === "0" ? 200 : 415).end();
      return;
    }
    const body = (await json(request)) as OtlpRequest;
    if (this.refuseWith !== undefined) {
      response.writeHead(this.refuseWith).end();
      return;
    }
    for (const number of numbersIn(body)) this.received.set(number, (this.received.get(number) ?? 0) + 1);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
    for (const check of this.#waiting) check();
  }
}

function numbersIn({ resourceLogs = [], resourceSpans = [] }: OtlpRequest): number[] {
  const logs = resourceLogs.flatMap(({ scopeLogs = [] }) =>
    scopeLogs.flatMap((scope) => scope.logRecords ?? []),
  );
  const spans = resourceSpans.flatMap(({ scopeSpans = [] }) =>
    scopeSpans.flatMap((scope) => scope.spans ?? []),
  );
  return [...logs, ...spans].flatMap(({ attributes = [] }) =>
    attributes.filter(({ key }) => key === "number").map(({ value }) => Number(value.intValue)),
  );
}
