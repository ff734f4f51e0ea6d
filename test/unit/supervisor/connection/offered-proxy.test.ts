import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import { TestAuthority } from "../../../support/test-authority.ts";
import { offer, startAgent, startServer, until } from "./connections-fixture.ts";

/** An HTTP proxy, and the credentials that it was shown for each tunnel. */
async function startProxy(): Promise<{ url: string; shown: (string | undefined)[] }> {
  const shown: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const proxy = createServer();
  proxy.on("connect", (request, client: Socket) => {
    shown.push(request.headers["proxy-authorization"]);
    const [host = "", port] = (request.url ?? "").split(":");
    const target = connect(Number(port), host, () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
    for (const socket of [client, target]) sockets.add(socket.on("error", () => undefined));
    client.pipe(target).pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
    await once(proxy, "close");
  });
  return { url: `127.0.0.1:${(proxy.address() as AddressInfo).port}`, shown };
}

it.each(["ws", "http"] as const)(
  "AN13 an offered proxy is used for %ss, with its credentials",
  async (transport) => {
    const authority = await TestAuthority.create();
    const server = await startServer({ tls: await authority.issue() });
    const proxy = await startProxy();
    const tls = `tls: {ca_pem: ${JSON.stringify(authority.cert)}}`;
    const agent = await startAgent(server.url(transport), { server: [tls] });
    const proxied = offer(1, {
      proxy: {
        url: proxy.url,
        connectHeaders: { headers: [{ key: "Proxy-Authorization", value: "Basic dXNlcjpwYXNz" }] },
      },
    });
    let offered = false;
    server.reply = () => {
      const message = offered ? {} : proxied;
      offered = true;
      return { message };
    };
    await until(() => agent.statuses.includes("APPLIED 1"));
    expect(new Set(proxy.shown)).toEqual(new Set(["Basic dXNlcjpwYXNz"]));
  },
);
