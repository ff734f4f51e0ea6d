import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { Destination } from "../../../../../src/supervisor/connection/collector/destination.ts";
import { probeDestination } from "../../../../../src/supervisor/connection/collector/probe.ts";
import { freePort } from "../../../../support/free-port.ts";
import { TestAuthority } from "../../../../support/test-authority.ts";

const to = (endpoint: string, more: Partial<Destination> = {}): Destination => ({
  endpoint,
  headers: {},
  ca: undefined,
  certificate: undefined,
  ...more,
});

/** A receiver that answers with this status, and what it was asked. */
async function receiver(status: number) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(
      `${request.method} ${request.url} ${String(request.headers["x-key"])} ${request.headers["content-type"]}`,
    );
    request.resume();
    response.writeHead(status).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs` };
}

it.each([200, 400, 429, 503])("a receiver that answers %i is one", async (status) => {
  const { asked, url } = await receiver(status);
  expect(await probeDestination(to(url, { headers: { "X-Key": "k" } }), {})).toBeUndefined();
  expect(asked).toEqual(["POST /v1/logs k application/x-protobuf"]);
});

it.each([
  [307, /redirects/],
  [401, /refuses the credentials/],
  [404, /no OTLP\/HTTP receiver/],
])("one that answers %i is at fault itself", async (status, reason) => {
  const { url } = await receiver(status);
  const failure = await probeDestination(to(url), {});
  expect(failure).toEqual({ fault: "own", reason: expect.stringMatching(reason) as string });
});

it("nobody there is a fault of the host, and may change", async () => {
  const failure = await probeDestination(to(`http://127.0.0.1:${await freePort()}/`), {});
  expect(failure).toEqual({ fault: "host", reason: expect.stringMatching(/cannot be reached/) as string });
});

it("another authority is at fault itself", async () => {
  const [authority, other] = await Promise.all([TestAuthority.create(), TestAuthority.create("Other")]);
  const server = createTlsServer(await authority.issue(), (_request, response) => response.end());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  expect(await probeDestination(to(url, { ca: authority.cert }), {})).toBeUndefined();
  for (const ca of [other.cert, undefined])
    expect((await probeDestination(to(url, { ca }), {}))?.fault).toBe("own");
});

it("goes by the proxies that the Collector goes by", async () => {
  const proxy = await receiver(200);
  const environment = { HTTP_PROXY: new URL(proxy.url).origin };
  expect(await probeDestination(to("http://telemetry.example/v1/logs"), environment)).toBeUndefined();
  expect(proxy.asked[0]).toContain("POST http://telemetry.example/v1/logs");
});
