import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { proxyOfEnvironment } from "../../../../src/foundation/proxy/environment.ts";
import { parseProxyUrl } from "../../../../src/foundation/proxy/proxy.ts";
import { nameBehindProxy, startHttpProxy, startSocksProxy } from "../../../support/proxies.ts";
import { makeCertificates } from "./certificates.ts";
import { makeSession, startServer } from "./session-fixture.ts";

let certificates: Awaited<ReturnType<typeof makeCertificates>>;
beforeAll(async () => {
  certificates = await makeCertificates();
});

/** The endpoint by a name that only proxies resolve. */
function behindProxy(url: URL): URL {
  url.hostname = nameBehindProxy;
  return url;
}

function through(text: string, connectHeaders: Record<string, string> = {}) {
  const url = parseProxyUrl(text);
  if (url === undefined) throw new Error(`${text} is no proxy`);
  return { proxyFor: () => ({ url, connectHeaders }) };
}

const schemes = ["ws", "wss", "http", "https"] as const;

async function serverOf(scheme: (typeof schemes)[number]) {
  const isSecure = scheme.endsWith("s") && scheme !== "ws";
  const server = await startServer(isSecure ? { tls: certificates.server } : {});
  const endpoint = behindProxy(server.url(scheme.startsWith("ws") ? "ws" : "http"));
  return { server, endpoint, tls: { ca: certificates.ca } };
}

describe.each(schemes)("AgentSession over %s", (scheme) => {
  it("AN13 goes through an HTTP proxy that the environment names, except for hosts it excludes", async () => {
    const { server, endpoint, tls } = await serverOf(scheme);
    const proxy = await startHttpProxy();
    const address = proxy.url.replace("//", "//user:p%40ss@");
    const environment = { HTTPS_PROXY: address, HTTP_PROXY: address };
    const proxyFor = proxyOfEnvironment(environment);
    const { session, event } = makeSession(endpoint, { settings: { tls, proxyFor } });
    session.start();
    await event("connected");
    // What is plain HTTP is passed on; all else is tunnelled.
    expect(proxy.requests[0]?.target).toBe(scheme === "http" ? endpoint.href : endpoint.host);
    const basic = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
    expect(proxy.requests[0]?.headers["proxy-authorization"]).toBe(basic);
    expect(server.received[0]?.headers["proxy-authorization"]).toBeUndefined();

    const asked = proxy.requests.length;
    const excluding = proxyOfEnvironment({ ...environment, NO_PROXY: nameBehindProxy });
    const around = makeSession(endpoint, { settings: { tls, proxyFor: excluding } });
    around.session.start();
    expect((await around.event("failed")).error).toContain(nameBehindProxy);
    expect(proxy.requests).toHaveLength(asked);
  });

  it("AN13 shows a proxy the headers that are for it, over TLS too", async () => {
    const { endpoint, tls } = await serverOf(scheme);
    const proxy = await startHttpProxy({ tls: certificates.server });
    const settings = { tls, ...through(proxy.url, { "X-Zone": "blue" }) };
    const { session, event } = makeSession(endpoint, { settings });
    session.start();
    await event("connected");
    expect(proxy.requests).toMatchObject([{ target: endpoint.host, headers: { "x-zone": "blue" } }]);
  });

  it.each(["socks5", "socks5h"])("goes through a %s proxy, which resolves the name", async (kind) => {
    const { endpoint, tls } = await serverOf(scheme);
    const proxy = await startSocksProxy();
    const settings = { tls, ...through(`${kind}://127.0.0.1:${proxy.port}`) };
    const { session, event } = makeSession(endpoint, { settings });
    session.start();
    await event("connected");
    expect(proxy.requests).toEqual([{ addressType: 3, target: endpoint.host, user: undefined }]);
  });

  it("says what a proxy said that refuses, without the password, and backs off", async () => {
    const { server, endpoint, tls } = await serverOf(scheme);
    const http = await startHttpProxy({ refuse: 407 });
    const socks = await startSocksProxy({ reply: 2 });
    const strict = await startSocksProxy({ password: "other" });
    const secret = (url: string) => url.replace("//", "//user:s3cr3t@");
    for (const [address, reason] of [
      // Where it would pass requests on, the CONNECT headers ask for a tunnel.
      [secret(http.url), "HTTP 407"],
      [secret(socks.url), "its rules forbid it"],
      [secret(strict.url), "credentials"],
      [strict.url, "credentials of a kind"],
      [`socks5://127.0.0.1:${http.port}`, "does not speak SOCKS5"],
    ] as const) {
      const settings = { tls, ...through(address, { "X-Zone": "s3cr3t" }) };
      const { session, event } = makeSession(endpoint, { settings });
      session.start();
      const { error, retryInMs } = await event("failed");
      expect(error).toContain(reason);
      expect(error).not.toContain("s3cr3t");
      expect(retryInMs).toBeGreaterThan(0);
    }
    expect(server.received).toEqual([]);
  });

  it("does not wait for a proxy that says nothing, neither to give up nor to stop", async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket.on("error", () => undefined).resume()));
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    onTestFinished(() => void silent.close());
    const { port } = silent.address() as { port: number };
    for (const kind of ["http", "socks5"]) {
      const { tls, endpoint } = await serverOf(scheme);
      const settings = { tls, ...through(`${kind}://127.0.0.1:${port}`) };
      const patient = makeSession(endpoint, { settings });
      const connected = once(silent, "connection");
      patient.session.start();
      await connected;
      patient.clock.advance(30_000);
      expect((await patient.event("failed")).error).toContain("30 s");
      const again = once(silent, "connection");
      patient.clock.advance(2_000);
      await again;
      const stopped = patient.session.stop(1_000);
      patient.clock.advance(1_000);
      await stopped;
    }
    await Promise.all(sockets.map(async (socket) => socket.closed || (await once(socket, "close"))));
  });
});

it("a SOCKS proxy is told addresses as such", async () => {
  for (const [host, addressType, target] of [
    ["127.0.0.1", 1, "127.0.0.1"],
    ["[::1]", 4, "::1"],
    ["[2001:db8::5:0:1]", 4, "2001:db8::5:0:1"],
  ] as const) {
    const proxy = await startSocksProxy({ reply: 4 });
    const fixture = makeSession(new URL(`ws://${host}:4320/`), { settings: through(proxy.url) });
    fixture.session.start();
    expect((await fixture.event("failed")).error).toContain("host unreachable");
    expect(proxy.requests).toEqual([{ addressType, target: `${target}:4320`, user: undefined }]);
  }
});

it.each(["wss", "https"] as const)(
  "a key that does not fit its certificate is outlived behind a proxy too, over %s",
  async (scheme) => {
    const { endpoint } = await serverOf(scheme);
    const { ca, client, server: other } = certificates;
    const proxy = await startSocksProxy();
    const settings = { tls: { ca, cert: client.cert, key: other.key }, ...through(proxy.url) };
    const { session, event } = makeSession(endpoint, { settings });
    session.start();
    expect(await event("failed")).toMatchObject({ error: expect.stringContaining("mismatch") });
    expect(proxy.requests).toHaveLength(1);
  },
);
