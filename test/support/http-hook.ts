import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";

export interface HookCall {
  headers: IncomingHttpHeaders;
  body: string;
}

/** A real listener for webhooks, which keeps what it is called with. Gone when the test ends. */
export class HttpHook {
  readonly calls: HookCall[] = [];
  /** Status of each answer that is to come; 204 after these. */
  readonly statuses: number[] = [];
  readonly url: string;

  static async start(): Promise<HttpHook> {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    const hook = new HttpHook(`http://127.0.0.1:${(server.address() as AddressInfo).port}/secret-path`);
    server.on("request", (request, response) => {
      void text(request).then((body) => {
        hook.calls.push({ headers: request.headers, body });
        response.writeHead(hook.statuses.shift() ?? 204, { location: hook.url });
        response.end();
      });
    });
    return hook;
  }

  private constructor(url: string) {
    this.url = url;
  }
}
