import { expect, it } from "vitest";
import { startHttpProxy, startSocksProxy } from "../../../support/proxies.ts";
import { TestAuthority } from "../../../support/test-authority.ts";
import { offer, startAgent, startServer, until } from "./connections-fixture.ts";

it.each(["ws", "http"] as const)(
  "AN13 an offered proxy is used for %ss, with its credentials, and one that refuses is not kept",
  async (transport) => {
    const authority = await TestAuthority.create();
    const server = await startServer({ tls: await authority.issue() });
    const refusing = await startSocksProxy({ reply: 2 });
    const proxy = await startHttpProxy();
    const tls = `tls: {ca_pem: ${JSON.stringify(authority.cert)}}`;
    const agent = await startAgent(server.url(transport), { server: [tls] });
    const headers = [{ key: "Proxy-Authorization", value: "Bearer s3cret" }];
    const offers = [
      offer(1, { proxy: { url: refusing.url } }),
      offer(2, { proxy: { url: proxy.url, connectHeaders: { headers } } }),
    ];
    server.reply = () => ({ message: offers.shift() ?? {} });
    await until(() => agent.statuses.includes("APPLIED 2"));
    expect(agent.statuses).toContainEqual(expect.stringMatching(/^FAILED 1: .*its rules forbid it/));
    expect(refusing.requests).not.toEqual([]);
    const shown = proxy.requests.map((request) => request.headers["proxy-authorization"]);
    expect(new Set(shown)).toEqual(new Set(["Bearer s3cret"]));
  },
);
