import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect } from "node:net";
import type { TLSSocket } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { TestAuthority } from "../../../support/test-authority.ts";
import { makeCertificates } from "./certificates.ts";
import { makeSession, startServer } from "./session-fixture.ts";

let certificates: Awaited<ReturnType<typeof makeCertificates>>;
beforeAll(async () => {
  certificates = await makeCertificates();
});

/** An HTTP proxy that tunnels; returns its address and what it was asked for. */
async function startProxy() {
  const requests: Array<{ target: string | undefined; authorization: string | undefined }> = [];
  const sockets = new Set<{ destroy(): void }>();
  const proxy = createServer();
  proxy.on("connect", (request: IncomingMessage, client: TLSSocket) => {
    requests.push({ target: request.url, authorization: request.headers["proxy-authorization"] });
    const [host = "", port] = (request.url ?? "").split(":");
    const upstream = connect(Number(port), host, () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
    for (const socket of [client, upstream]) sockets.add(socket.on("error", () => undefined));
    client.pipe(upstream).pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await once(proxy, "close");
  });
  return { port: (proxy.address() as AddressInfo).port, requests };
}

describe.each(["ws", "http"] as const)("AgentSession over %ss", (transport) => {
  it("connects with a private authority and a client certificate", async () => {
    const { ca, server: own, client } = certificates;
    const server = await startServer({ tls: { ...own, ca, requestCert: true, rejectUnauthorized: true } });
    const fixture = makeSession(server.url(transport), { settings: { tls: { ca, ...client } } });
    fixture.session.start();
    await fixture.event("connected");

    const stranger = makeSession(server.url(transport), { settings: { tls: { ca } } });
    stranger.session.start();
    await stranger.event("failed");
    expect(server.received).toHaveLength(1);
  });

  it("does not talk to a server whose certificate it cannot verify", async () => {
    const server = await startServer({ tls: certificates.server });
    const fixture = makeSession(server.url(transport));
    fixture.session.start();
    expect((await fixture.event("failed")).error).toMatch(/certificate|signature/);
    expect(server.received).toEqual([]);
  });

  it("names the clock where a certificate is refused for its dates, and goes on trying", async () => {
    const authority = await TestAuthority.create();
    const hour = 3_600_000;
    const early = await authority.issue({
      notBefore: new Date(Date.now() + hour),
      notAfter: new Date(Date.now() + 2 * hour),
    });
    const server = await startServer({ tls: early });
    const tls = { ca: authority.cert };
    const fixture = makeSession(server.url(transport), { settings: { tls } });
    fixture.session.start();
    expect((await fixture.event("failed")).error).toMatch(
      /not yet valid.*the clock of this host says 2026-01-01T00:00:00.000Z; if that is wrong, set it right/,
    );
    expect(fixture.logs.at(-1)).toMatchObject({ error: expect.stringContaining("the clock of this host") });
    fixture.clock.advance((await fixture.event("failed")).retryInMs);
    await fixture.event("failed", 2);
  });

  it("goes through the proxy that the environment names, except for hosts it excludes", async () => {
    const { ca, server: own } = certificates;
    const server = await startServer({ tls: own });
    const proxy = await startProxy();
    const HTTPS_PROXY = `http://user:pass@127.0.0.1:${proxy.port}`;
    const through = makeSession(server.url(transport), {
      settings: { tls: { ca }, proxyEnv: { HTTPS_PROXY } },
    });
    through.session.start();
    await through.event("connected");
    const target = `127.0.0.1:${server.port}`;
    expect(proxy.requests).toEqual([{ target, authorization: "Basic dXNlcjpwYXNz" }]);

    const proxyEnv = { HTTPS_PROXY, NO_PROXY: "127.0.0.1" };
    const around = makeSession(server.url(transport), { settings: { tls: { ca }, proxyEnv } });
    around.session.start();
    await around.event("connected");
    expect(proxy.requests).toHaveLength(1);
  });
});
