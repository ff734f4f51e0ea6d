import { once } from "node:events";
import { createServer as createHttp, type IncomingHttpHeaders, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { testConnection } from "../../../../../src/supervisor/operations/diagnose/connection-test.ts";
import { freePort } from "../../../../support/free-port.ts";
import { TestAuthority } from "../../../../support/test-authority.ts";

async function listening(server: Server) {
  const seen: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
  server.on("request", ({ url, headers }, response) => {
    seen.push({ url, headers });
    response.writeHead(401, { server: "stand-in", location: "http://127.0.0.1:1/elsewhere" }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { seen, port: (server.address() as AddressInfo).port };
}

describe("the connection test", () => {
  it("says how far it gets, sends no credentials and follows nothing", async () => {
    const { seen, port } = await listening(createHttp());
    const endpoint = new URL(`ws://user:pass@127.0.0.1:${port}/v1/opamp?token=t`);
    const lines = await testConnection({ endpoint, tls: undefined });
    expect(lines).toEqual([
      `ws://127.0.0.1:${port}/v1/opamp`,
      expect.stringMatching(/^DNS {3}ok/),
      expect.stringMatching(/^TCP {3}ok/),
      expect.stringMatching(/^HTTP {2}ok.*401 .*credentials, which this test does not send.*not followed/),
    ]);
    expect(seen.map(({ url }) => url)).toEqual(["/v1/opamp"]);
    expect(seen[0]?.headers).not.toHaveProperty("authorization");
    expect(seen[0]?.headers.upgrade).toBe("websocket");
  });

  it("shows the certificates and when they expire", async () => {
    const authority = await TestAuthority.create("The CA");
    const { seen, port } = await listening(createHttps(await authority.issue({ name: "the-server" })));
    const endpoint = new URL(`wss://127.0.0.1:${port}/`);
    const lines = await testConnection({ endpoint, tls: { ca: [authority.cert] } });
    expect(lines.join("\n")).toMatch(/0: the-server by The CA, expires in 0 days .*127\.0\.0\.1/);
    expect(lines.join("\n")).toMatch(/TLS {3}ok.*TLSv1\.3/);
    expect(seen).toHaveLength(1);
  });

  it.each([
    ["it has expired", { notAfter: new Date(Date.now() - 86_400_000 * 3) }, /EXPIRED 3 days ago/],
    ["it is another's", { names: [{ type: "dns", value: "other" }] }, /ERR_TLS_CERT_ALTNAME_INVALID/],
  ] as const)(
    "says nothing to a server whose certificate is not trusted: %s",
    async (_why, options, message) => {
      const authority = await TestAuthority.create();
      const notBefore = new Date(Date.now() - 86_400_000 * 9);
      const issued = await authority.issue({ notBefore, ...options } as Parameters<
        TestAuthority["issue"]
      >[0]);
      const { seen, port } = await listening(createHttps(issued));
      const endpoint = new URL(`wss://127.0.0.1:${port}/`);
      const text = (await testConnection({ endpoint, tls: { ca: [authority.cert] } })).join("\n");
      expect(text).toMatch(message);
      expect(text).toMatch(/TLS {3}FAILED: not trusted/);
      expect(text).not.toContain("HTTP");
      expect(seen).toEqual([]);
    },
  );

  it("ends where nobody listens, and where the name is none", async () => {
    const refused = await testConnection({
      endpoint: new URL(`ws://127.0.0.1:${await freePort()}/`),
      tls: undefined,
    });
    expect(refused.at(-1)).toMatch(/^TCP {3}FAILED: .*ECONNREFUSED/);
    const unknown = await testConnection({ endpoint: new URL("ws://no-such.invalid/"), tls: undefined });
    expect(unknown.at(-1)).toMatch(/^DNS {3}FAILED/);
  });
});
