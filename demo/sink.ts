import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

interface MetricsRequest {
  resourceMetrics?: {
    resource?: { attributes?: { key: string; value?: { stringValue?: string } }[] };
    scopeMetrics?: { metrics?: { name: string }[] }[];
  }[];
}

/** A backend: takes OTLP/HTTP in JSON and remembers which metrics and resource attributes arrived. */
export class MetricsSink implements Disposable {
  readonly metricNames = new Set<string>();
  readonly resourceAttributes = new Map<string, string>();
  requests = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async open(): Promise<MetricsSink> {
    const server = createServer();
    const sink = new MetricsSink(server);
    server.on("request", (request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        sink.#take(JSON.parse(Buffer.concat(chunks).toString()) as MetricsRequest);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  [Symbol.dispose](): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #take(request: MetricsRequest): void {
    this.requests += 1;
    for (const { resource, scopeMetrics } of request.resourceMetrics ?? []) {
      for (const { key, value } of resource?.attributes ?? []) {
        this.resourceAttributes.set(key, value?.stringValue ?? "");
      }
      for (const { metrics } of scopeMetrics ?? []) {
        for (const { name } of metrics ?? []) this.metricNames.add(name);
      }
    }
  }
}
