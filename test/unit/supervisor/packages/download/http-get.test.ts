import type { IncomingMessage } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { proxyOfEnvironment } from "../../../../../src/foundation/proxy/environment.ts";
import { nameBehindProxy, startHttpProxy, startSocksProxy } from "../../../../support/proxies.ts";
import { makeCertificates } from "../../../opamp/agent/certificates.ts";
import { content, type FileServer, fileServer, type Getting, get, serve } from "./support.ts";

const file = content(300_000);
let certificates: Awaited<ReturnType<typeof makeCertificates>>;
beforeAll(async () => {
  certificates = await makeCertificates();
});

const good = (tls?: { key: string; cert: string }) =>
  fileServer((request, response) => serve(request, response, file), tls);

function redirecting(
  location: (request: IncomingMessage) => string,
  status = 302,
  tls?: { key: string; cert: string },
) {
  return fileServer((request, response) => {
    if (request.url === "/target") serve(request, response, file);
    else response.writeHead(status, { Location: location(request) }).end("a page");
  }, tls);
}

const credentials = (server: FileServer) =>
  server.requests.map(({ headers }) => [headers.authorization, headers["x-key"], headers.cookie]);

/** The first reason a source failed for; the download is aborted then. */
async function refusalOf(getting: Getting): Promise<unknown> {
  const failure = () => getting.log.find(({ event }) => event === "package_download_failed");
  while (failure() === undefined) await new Promise(setImmediate);
  getting.abort();
  expect(await getting.outcome).toEqual({ t: "aborted" });
  return failure()?.reason;
}

describe("a redirect", () => {
  it.each([301, 302, 303, 307, 308])("with HTTP %i is followed", async (status) => {
    const server = await redirecting(() => "/target", status);
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
  });

  it("takes the credentials along on the same origin", async () => {
    const server = await redirecting(() => "/target");
    const headers = { authorization: "Bearer a", "X-Key": "b" };
    expect(await get(`${server.origin}/f`, file, { headers }).outcome).toMatchObject({ t: "done" });
    expect(credentials(server)).toEqual(Array(2).fill(["Bearer a", "b", undefined]));
  });

  it("takes the userinfo along on the same origin only", async () => {
    const stranger = await good();
    const server = await redirecting(({ url }) => (url === "/f" ? "/g" : `${stranger.origin}/f`));
    const url = `http://us%3Aer:p%40ss@${server.origin.slice(7)}/f`;
    expect(await get(url, file).outcome).toMatchObject({ t: "done" });
    const basic = `Basic ${Buffer.from("us:er:p@ss").toString("base64")}`;
    expect(server.requests.map(({ headers }) => headers.authorization)).toEqual([basic, basic]);
    expect(credentials(stranger)).toEqual([[undefined, undefined, undefined]]);
  });

  it("takes no header of the offer to another host, and none back from there", async () => {
    const home = await redirecting(() => `${away.origin}/f`);
    const away = await redirecting(() => `${home.origin}/target`);
    const headers = { Authorization: "Bearer a", "X-Key": "b", Cookie: "c" };
    const getting = get(`http://u:p@${home.origin.slice(7)}/f`, file, { headers });
    expect(await getting.outcome).toMatchObject({ t: "done" });
    expect(credentials(home)).toEqual([
      ["Bearer a", "b", "c"],
      [undefined, undefined, undefined],
    ]);
    expect(credentials(away)).toEqual([[undefined, undefined, undefined]]);
  });

  it("takes userinfo of its own nowhere", async () => {
    const stranger = await good();
    const server = await redirecting(() => `http://x:y@${stranger.origin.slice(7)}/f`);
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
    expect(stranger.requests[0]?.headers.authorization).toBeUndefined();
  });

  it("keeps asking for what is missing", async () => {
    const server = await fileServer((request, response, index) => {
      if (request.url === "/f") response.writeHead(302, { Location: "/target" }).end();
      else
        serve(request, response, file, index === 1 ? { breakAfter: 100_000, etag: '"a"' } : { etag: '"a"' });
    });
    expect(await get(`${server.origin}/f`, file).outcome).toMatchObject({ t: "done" });
    expect(server.requests.map(({ url, headers }) => [url, headers.range])).toEqual([
      ["/f", undefined],
      ["/target", undefined],
      ["/f", "bytes=100000-"],
      ["/target", "bytes=100000-"],
    ]);
  });

  it("is followed 5 times, and no more", async () => {
    const hops = await fileServer((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) serve(request, response, file);
      else response.writeHead(302, { Location: `/${left - 1}` }).end();
    });
    expect(await get(`${hops.origin}/5`, file).outcome).toMatchObject({ t: "done" });
    expect(await refusalOf(get(`${hops.origin}/6`, file))).toBe("it redirects more than 5 times");
  });

  it.each([
    ["file:///etc/passwd", "it redirects to file:, which is neither http: nor https:"],
    ["http://s3cr3t:x:y/", "it redirects to what is no URL"],
  ])("to %s is refused", async (location, reason) => {
    const server = await redirecting(() => location);
    expect(await refusalOf(get(`${server.origin}/f`, file))).toBe(reason);
  });

  it("without a target is refused", async () => {
    const server = await fileServer((_, response) => response.writeHead(302).end());
    expect(await refusalOf(get(`${server.origin}/f`, file))).toBe("it answered HTTP 302");
  });

  it("from http to https is followed, from https to http not", async () => {
    const secure = await good(certificates.server);
    const plain = await redirecting(() => `${secure.origin}/f`);
    const deps = { tls: { ca: certificates.ca } };
    expect(await get(`${plain.origin}/f`, file, { deps }).outcome).toMatchObject({ t: "done" });

    const bare = await good();
    const back = await redirecting(() => `${bare.origin}/f`, 302, certificates.server);
    const { host } = new URL(bare.origin);
    expect(await refusalOf(get(`${back.origin}/f`, file, { deps }))).toBe(
      `it redirects from https to http (${host}), which is not followed`,
    );
    expect(bare.requests).toEqual([]);
  });
});

describe("headers of an offer", () => {
  it("do not replace those of the exchange itself", async () => {
    const server = await good();
    const headers = {
      range: "bytes=5-",
      "Accept-Encoding": "gzip",
      HOST: "evil",
      "if-range": "x",
      "Content-Length": "5",
    };
    expect(await get(`${server.origin}/f`, file, { headers }).outcome).toMatchObject({ t: "done" });
    const [request] = server.requests;
    expect(request?.headers).toEqual({
      "accept-encoding": "identity",
      connection: "close",
      host: new URL(server.origin).host,
    });
  });
});

describe("a download over https", () => {
  it("does not take a byte of a server whose certificate it cannot verify", async () => {
    const server = await good(certificates.server);
    expect(await refusalOf(get(`${server.origin}/f`, file))).toMatch(/certificate|signature/);
    expect(server.requests).toEqual([]);
  });

  it("goes through the proxy that the environment names, except for hosts it excludes", async () => {
    const server = await good(certificates.server);
    const proxy = await startHttpProxy();
    const HTTPS_PROXY = proxy.url.replace("//", "//user:s3cr3t@");
    const through = (more: object = {}) => ({
      tls: { ca: certificates.ca },
      proxyFor: proxyOfEnvironment({ HTTPS_PROXY, ...more }),
    });
    const headers = { Authorization: "Bearer t" };
    const url = `${server.origin.replace("127.0.0.1", nameBehindProxy)}/f`;
    expect(await get(url, file, { deps: through(), headers }).outcome).toMatchObject({ t: "done" });
    const basic = `Basic ${Buffer.from("user:s3cr3t").toString("base64")}`;
    expect(proxy.requests.map(({ target }) => target)).toEqual([new URL(url).host]);
    expect(proxy.requests[0]?.headers["proxy-authorization"]).toBe(basic);
    expect(proxy.requests[0]?.headers.authorization).toBeUndefined();

    const deps = through({ NO_PROXY: "localhost" });
    const around = `${server.origin.replace("127.0.0.1", "localhost")}/f`;
    expect(await get(around, file, { deps }).outcome).toMatchObject({ t: "done" });
    expect(proxy.requests).toHaveLength(1);
  });

  it("does not show the password of a proxy that refuses", async () => {
    const refusing = await fileServer(() => undefined);
    const HTTPS_PROXY = `http://user:s3cr3t@${refusing.origin.slice(7)}`;
    const deps = { proxyFor: proxyOfEnvironment({ HTTPS_PROXY }) };
    const getting = get("https://elsewhere.test:1/f", file, { deps });
    await refusalOf(getting);
    expect(JSON.stringify([getting.log, getting.progress])).not.toContain("s3cr3t");
  });
});

it("a download over http goes through a proxy too", async () => {
  const server = await good();
  const proxy = await startHttpProxy();
  const deps = { proxyFor: proxyOfEnvironment({ HTTP_PROXY: proxy.url }) };
  const url = `${server.origin.replace("127.0.0.1", nameBehindProxy)}/f`;
  expect(await get(url, file, { deps }).outcome).toMatchObject({ t: "done" });
  expect(proxy.requests.map(({ target }) => target)).toEqual([url]);
});

it("a download goes through a SOCKS proxy, which resolves the name", async () => {
  const server = await good();
  const proxy = await startSocksProxy({ password: "s3cr3t" });
  const deps = { proxyFor: proxyOfEnvironment({ HTTP_PROXY: proxy.url.replace("//", "//user:s3cr3t@") }) };
  const url = `${server.origin.replace("127.0.0.1", nameBehindProxy)}/f`;
  expect(await get(url, file, { deps }).outcome).toMatchObject({ t: "done" });
  expect(proxy.requests).toEqual([{ addressType: 3, target: new URL(url).host, user: "user" }]);
});
