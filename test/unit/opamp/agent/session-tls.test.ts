import { beforeAll, describe, expect, it } from "vitest";
import { TestAuthority } from "../../../support/test-authority.ts";
import { makeCertificates } from "./certificates.ts";
import { makeSession, startServer } from "./session-fixture.ts";

let certificates: Awaited<ReturnType<typeof makeCertificates>>;
beforeAll(async () => {
  certificates = await makeCertificates();
});

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
});

it("AH15 a poll over a new connection shows the certificate that is valid then, and none fails", async () => {
  const authority = await TestAuthority.create();
  const [own, first, second] = await Promise.all([
    authority.issue(),
    authority.issue({ name: "first" }),
    authority.issue({ name: "second" }),
  ]);
  const tls = { ...own, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  const server = await startServer({ tls });
  let client = first;
  const settings = { tls: () => ({ ca: authority.cert, ...client }) };
  const fixture = makeSession(server.url("http"), { settings });
  fixture.session.start();
  await fixture.event("message");
  client = second;
  server.dropAll();
  fixture.clock.advance(30_000);
  await fixture.event("message", 2);
  expect(server.received.map(({ peer }) => peer)).toEqual(["first", "second"]);
  expect(fixture.events.map(({ t }) => t)).toEqual(["connected", "message", "message"]);
});
