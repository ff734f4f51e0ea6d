import { describe, expect, it } from "vitest";
import { firstDestination, redirected } from "../../../../src/opamp/agent/redirect.ts";
import type { ScriptedOpampServer } from "../../../support/scripted-opamp-server.ts";
import { makeSession, startServer } from "./session-fixture.ts";

/** Where an answer of the endpoint leads, with or without the headers; undefined: nowhere. */
function led(
  endpoint: string,
  location: string | undefined,
  status = 307,
  allowedRedirectHosts: string[] = [],
) {
  const settings = { endpoint: new URL(endpoint), allowedRedirectHosts };
  const headers = location === undefined ? {} : { location };
  const next = redirected(firstDestination(settings), status, headers, settings);
  return next && `${next.url.href} ${next.isTrusted ? "with" : "without"}`;
}

describe("P9 a redirect", () => {
  it.each([
    ["the same place", "wss://h/a", "/b?c", "wss://h/b?c with"],
    ["the same place by the other scheme", "wss://h/a", "https://h/b", "wss://h/b with"],
    ["TLS on the same host", "http://h/a", "https://h/a", "https://h/a with"],
    ["another port of the same host", "wss://h/a", "wss://h:8443/a", "wss://h:8443/a without"],
    ["plain text", "wss://h/a", "ws://h/a", undefined],
    ["another host", "wss://h/a", "wss://evil/a", undefined],
    ["what looks like the host", "wss://h/a", "wss://h@evil/a", undefined],
    ["a host below it", "wss://h/a", "wss://x.h/a", undefined],
    ["no address", "wss://h/a", "wss://", undefined],
    ["another protocol", "wss://h/a", "ftp://h/a", undefined],
    ["nowhere", "wss://h/a", undefined, undefined],
  ])("to %s", (_what, endpoint, location, expected) => {
    expect(led(endpoint, location)).toBe(expected);
  });

  it("leads to listed hosts, without the headers", () => {
    const allowed = ["other.example", "third.example:8443"];
    expect(led("wss://h/a", "wss://other.example:1/a", 307, allowed)).toBe("wss://other.example:1/a without");
    expect(led("wss://h/a", "wss://third.example:8443/", 307, allowed)).toBe(
      "wss://third.example:8443/ without",
    );
    expect(led("wss://h/a", "wss://third.example/", 307, allowed)).toBeUndefined();
    expect(led("wss://h/a", "ws://other.example/", 307, allowed)).toBeUndefined();
  });

  it("never gets the headers back on a way home", () => {
    const settings = { endpoint: new URL("https://h/"), allowedRedirectHosts: ["o"] };
    const away = redirected(firstDestination(settings), 308, { location: "https://o/" }, settings)!;
    const home = redirected(away, 308, { location: "https://h/back" }, settings)!;
    expect(home).toMatchObject({ isTrusted: false, redirects: 2 });
  });

  it.each([300, 303, 304, 200])("is none with HTTP %i", (status) => {
    expect(led("wss://h/a", "/b", status)).toBeUndefined();
  });
});

describe.each(["ws", "http"] as const)("AgentSession over %s", (transport) => {
  /** Redirects everything, with the header that it was asked with. */
  function redirecting(server: ScriptedOpampServer, Location: () => string): (string | undefined)[] {
    const shown: (string | undefined)[] = [];
    const answer = () => ({ status: 307, headers: { Location: Location() } });
    server.refuseUpgrade = () => {
      shown.push(server.upgradeHeaders.at(-1)?.authorization);
      return answer();
    };
    server.reply = ({ headers }) => {
      shown.push(headers.authorization);
      return answer();
    };
    return shown;
  }

  const settings = { headers: () => ({ Authorization: "secret" }) };

  it("P9 follows a redirect to a listed host without its headers, and starts at the endpoint again", async () => {
    const server = await startServer();
    const other = await startServer();
    const target = other.url(transport).href.replace("127.0.0.1", "localhost");
    const shown = redirecting(server, () => target);
    const { session, event, clock } = makeSession(server.url(transport), {
      settings: { ...settings, allowedRedirectHosts: [`localhost:${other.port}`] },
    });
    session.start();
    await event("connected");
    expect(shown).toEqual(["secret"]);
    expect(other.received[0]?.headers.authorization).toBeUndefined();
    expect(other.received[0]?.message.agentDescription).toBeDefined();
    clock.advance(5_000);
    const again = transport === "http" ? 25_000 : 0;
    other.dropAll();
    if (again > 0) clock.advance(again);
    await event(transport === "http" ? "message" : "connected", 2);
    expect(shown).toEqual(["secret", "secret"]);
  });

  it("P9 gives up in a circle, and backs off", async () => {
    const server = await startServer();
    const shown = redirecting(server, () => server.url(transport).href);
    const { session, event } = makeSession(server.url(transport), { settings });
    session.start();
    expect(await event("failed")).toMatchObject({
      error: expect.stringContaining("redirects"),
      retryInMs: 2_000,
    });
    expect(shown).toHaveLength(6);
  });
});
