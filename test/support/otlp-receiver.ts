import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** Attributes of OTLP as a plain object. Integers come as text. */
export type PlainAttributes = Record<string, unknown>;

interface Received {
  resource: PlainAttributes;
  scope: string;
}
export interface ReceivedLog extends Received {
  severity: string;
  severityNumber: number;
  body: unknown;
  attributes: PlainAttributes;
  traceId: string | undefined;
}
export interface ReceivedSpan extends Received {
  name: string;
  /** 1 is Ok, 2 is Error. */
  status: { code?: number; message?: string };
  attributes: PlainAttributes;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
}
export interface ReceivedPoint extends Received {
  name: string;
  kind: "gauge" | "sum" | "monotonic sum";
  value: number;
  attributes: PlainAttributes;
}

/** An OTLP/HTTP backend that takes JSON and keeps everything. */
export class OtlpReceiver implements AsyncDisposable {
  readonly logs: ReceivedLog[] = [];
  readonly spans: ReceivedSpan[] = [];
  readonly points: ReceivedPoint[] = [];
  readonly requests: { path: string; headers: IncomingMessage["headers"] }[] = [];
  /** Set it to have requests refused with this status. */
  refuseWith: number | undefined;
  /** Set it to have requests never answered. */
  silent = false;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  static async start(port = 0): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return receiver;
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

  /** Resolves to the first of `items` that matches, now or later. */
  async waitFor<T>(items: readonly T[], match: (item: T) => boolean, timeoutMs = 20_000): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const check = () => {
      const found = items.find(match);
      if (found !== undefined) resolve(found);
    };
    const timer = setTimeout(() => {
      reject(
        new Error(`nothing like ${String(match)} came; there is ${JSON.stringify(items).slice(0, 4_000)}`),
      );
    }, timeoutMs);
    this.#waiting.add(check);
    check();
    try {
      return await promise;
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
    const body = (await json(request)) as Tree;
    this.requests.push({ path: request.url ?? "", headers: request.headers });
    if (this.silent) return;
    if (this.refuseWith !== undefined) {
      response.writeHead(this.refuseWith).end();
    } else {
      this.#keep(body);
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    }
    for (const check of this.#waiting) check();
  }

  #keep(body: Tree): void {
    for (const [from, log] of records(body, "resourceLogs", "scopeLogs", "logRecords")) {
      this.logs.push({
        ...from,
        severity: String(log.severityText),
        severityNumber: Number(log.severityNumber),
        body: plain(log.body),
        attributes: plainAttributes(log),
        traceId: (log.traceId as string) || undefined,
      });
    }
    for (const [from, span] of records(body, "resourceSpans", "scopeSpans", "spans")) {
      this.spans.push({
        ...from,
        name: String(span.name),
        status: (span.status ?? {}) as ReceivedSpan["status"],
        attributes: plainAttributes(span),
        traceId: String(span.traceId),
        spanId: String(span.spanId),
        parentSpanId: (span.parentSpanId as string) || undefined,
      });
    }
    for (const [from, metric] of records(body, "resourceMetrics", "scopeMetrics", "metrics")) {
      const sum = metric.sum as Tree | undefined;
      const kind = sum === undefined ? "gauge" : sum.isMonotonic === true ? "monotonic sum" : "sum";
      for (const point of list(sum ?? ((metric.gauge ?? {}) as Tree), "dataPoints")) {
        const value = Number(point.asInt ?? point.asDouble);
        this.points.push({
          ...from,
          name: String(metric.name),
          kind,
          value,
          attributes: plainAttributes(point),
        });
      }
    }
  }
}

type Tree = Record<string, unknown>;

const list = (tree: Tree, key: string): Tree[] => (tree[key] ?? []) as Tree[];

function records(body: Tree, perResource: string, perScope: string, key: string): [Received, Tree][] {
  return list(body, perResource).flatMap((part) => {
    const resource = plainAttributes((part.resource ?? {}) as Tree);
    return list(part, perScope).flatMap((scoped) => {
      const scope = String((scoped.scope as Tree | undefined)?.name);
      return list(scoped, key).map((record): [Received, Tree] => [{ resource, scope }, record]);
    });
  });
}

function plainAttributes(owner: Tree): PlainAttributes {
  return Object.fromEntries(list(owner, "attributes").map(({ key, value }) => [key, plain(value)]));
}

function plain(value: unknown): unknown {
  const [kind, content] = Object.entries((value ?? {}) as Tree)[0] ?? [];
  if (kind === "arrayValue") return list(content as Tree, "values").map(plain);
  if (kind === "kvlistValue") {
    return Object.fromEntries(list(content as Tree, "values").map((pair) => [pair.key, plain(pair.value)]));
  }
  return content;
}
