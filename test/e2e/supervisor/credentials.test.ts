import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import { ConnectionSettingsOffersSchema } from "../../../src/opamp/messages.ts";
import { operate } from "../../support/run-command.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";
import { TestAuthority } from "../../support/test-authority.ts";
import { TokenEndpoint } from "../../support/token-endpoint.ts";

const secret = "s3cret+of the/client";

type Transport = "ws" | "http";

/** A host whose server lets in who shows one of `accepted`. */
async function guardedHost(transport: Transport, server: object, secrets: string[] = []) {
  const host = await supervisorHost({ transport, server: "down", secrets });
  const endpoint = `${transport}://127.0.0.1:${host.ports.opamp}/v1/opamp`;
  await host.writeSettings(
    {},
    { accepts_opamp_connection_settings: true },
    { server: { endpoint, ...server } },
  );
  const gate = {
    accepted: (authorization: string): boolean => authorization.startsWith("Bearer "),
    refused: 0,
  };
  await host.startServer({
    refuse: ({ headers }) => {
      if (gate.accepted(headers.authorization ?? "")) return undefined;
      gate.refused += 1;
      return 401;
    },
  });
  return { host, gate };
}

async function oauthHost(transport: Transport, settings: object = {}) {
  const authority = await TestAuthority.create();
  const endpoint = await TokenEndpoint.start(await authority.issue());
  onTestFinished(() => endpoint[Symbol.asyncDispose]());
  const oauth2 = {
    ...{ client_id: "host", client_secret: secret, token_url: endpoint.url },
    ...{
      scopes: ["opamp", "more"],
      endpoint_params: { audience: "the-server" },
      tls: { ca_pem: authority.cert },
    },
    ...settings,
  };
  const { host, gate } = await guardedHost(transport, { oauth2 }, [secret, "token-"]);
  gate.accepted = (authorization) => authorization === `Bearer ${endpoint.token}`;
  return { host, gate, endpoint };
}

const shown = (host: SupervisorHost) => host.server.received.map(({ headers }) => headers.authorization);

describe("server.oauth2", () => {
  it.each(["ws", "http"] as const)(
    "gets a token with the client's credentials and shows it over %s",
    async (transport) => {
      const { host, endpoint } = await oauthHost(transport);
      await host.startHealthy();
      const [request] = endpoint.requests;
      expect(request?.authorization).toBe(
        `Basic ${Buffer.from("host:s3cret%2Bof+the%2Fclient").toString("base64")}`,
      );
      expect(Object.fromEntries(request?.form ?? [])).toEqual({
        grant_type: "client_credentials",
        scope: "opamp more",
        audience: "the-server",
      });
      expect(endpoint.requests).toHaveLength(1);
      expect(new Set(shown(host))).toEqual(new Set(["Bearer token-1"]));
    },
  );

  it("renews a token before it ends, without a restart; a connection that is well is left alone", async () => {
    const { host, endpoint } = await oauthHost("ws");
    endpoint.lifetime = 3;
    await host.startHealthy();
    await expect.poll(() => endpoint.requests.length, { timeout: 10_000 }).toBeGreaterThan(2);
    expect(new Set(host.server.received.map(({ connection }) => connection)).size).toBe(1);
    await host.server[Symbol.asyncDispose]();
    await host.startServer({
      refuse: ({ headers }) => (headers.authorization === `Bearer ${endpoint.token}` ? undefined : 401),
    });
    await host.server.message("a report on the next connection", () => true);
    expect(shown(host)[0]).not.toBe("Bearer token-1");
  });

  it("renews a token at once that the server refuses", async () => {
    const { host, gate, endpoint } = await oauthHost("http");
    gate.accepted = (authorization) => authorization !== "" && authorization !== "Bearer token-1";
    await host.startHealthy();
    expect(gate.refused).toBe(1);
    expect(endpoint.requests).toHaveLength(2);
    expect(shown(host)[0]).toBe("Bearer token-2");
  });

  it("goes on with the last token when the endpoint fails, and says so without a secret", async () => {
    const { host, gate, endpoint } = await oauthHost("ws", { refresh_interval: "1s" });
    endpoint.lifetime = undefined;
    const supervisor = await host.start();
    await host.server.reported("health", ({ healthy }) => healthy);
    endpoint.failing = 500;
    const from = host.server.mark;
    await supervisor.waitFor("credentials_failed");
    const reason = "server.oauth2: the token endpoint answered HTTP 500 (invalid_client)";
    await host.server.reported(
      "health",
      ({ healthy, componentHealthMap }) => healthy && componentHealthMap.credentials?.lastError === reason,
      from,
    );
    const status = await operate(host, "status");
    expect(status.stdout).toContain(reason);
    expect(status.stdout).not.toContain("s3cret");
    const { token } = endpoint;
    await host.server[Symbol.asyncDispose]();
    await host.startServer({
      refuse: ({ headers }) => (headers.authorization === `Bearer ${token}` ? undefined : 401),
    });
    await host.server.message("a report on the next connection", () => true);
    endpoint.failing = undefined;
    await supervisor.waitFor("credentials_renewed");
    await host.server.reported(
      "health",
      ({ componentHealthMap }) => componentHealthMap.credentials === undefined,
    );
    expect(gate.refused).toBe(0);
  });

  it("asks with the secret in the form where the endpoint wants it there", async () => {
    const { host, endpoint } = await oauthHost("ws");
    endpoint.wantsForm = true;
    await host.startHealthy();
    expect(Object.fromEntries(endpoint.requests[0]?.form ?? [])).toMatchObject({
      client_id: "host",
      client_secret: secret,
    });
  });
});

describe("server.headers_file", () => {
  it("is read again for every connect", async () => {
    const { host, gate } = await guardedHost("http", {}, ["first-t0ken", "second-t0ken"]);
    const file = join(host.dir, "headers");
    const endpoint = `http://127.0.0.1:${host.ports.opamp}/v1/opamp`;
    await host.writeSettings(
      {},
      {},
      { server: { endpoint, headers: { "X-Tenant": "a" }, headers_file: file } },
    );
    writeFileSync(file, "Authorization: Bearer first-t0ken\n");
    gate.accepted = (authorization) => authorization === "Bearer first-t0ken";
    await host.startHealthy();
    expect(host.server.received[0]?.headers["x-tenant"]).toBe("a");
    gate.accepted = (authorization) => authorization === "Bearer second-t0ken";
    writeFileSync(file, "Authorization: Bearer second-t0ken\n");
    const from = host.server.mark;
    process.kill(await host.onlyCollector(), "SIGKILL");
    await host.server.reported("health", ({ healthy }) => !healthy, from);
    expect(shown(host).at(-1)).toBe("Bearer second-t0ken");
  });
});

describe("server.headers_command", () => {
  it("is run for the headers, and again when the server refuses them; offered ones go over its own", async () => {
    const { host, gate } = await guardedHost("ws", {}, ["t0ken-"]);
    const command = join(host.dir, "token.sh");
    const count = join(host.dir, "count");
    writeFileSync(count, "");
    writeFileSync(
      command,
      `#!/bin/sh\necho x >> "${count}"\nn=$(wc -l < "${count}")\necho "Authorization: Bearer t0ken-$((n))"\necho "X-Way: $1"\n`,
    );
    chmodSync(command, 0o755);
    const endpoint = `ws://127.0.0.1:${host.ports.opamp}/v1/opamp`;
    const headers_command = { command: [command, "through $(id)"] };
    const able = { accepts_opamp_connection_settings: true };
    await host.writeSettings({}, able, { server: { endpoint, headers_command } });
    gate.accepted = (authorization) => authorization === "Bearer t0ken-2";
    await host.startHealthy();
    expect(gate.refused).toBe(1);
    expect(host.server.received[0]?.headers["x-way"]).toBe("through $(id)");
    const from = host.server.mark;
    const opamp = { headers: { headers: [{ key: "X-Tenant", value: "b" }] } };
    host.server.push({
      connectionSettings: create(ConnectionSettingsOffersSchema, { hash: new Uint8Array([1]), opamp }),
    });
    await host.server.until("a connection with the offered header", () =>
      host.server.received.slice(from).some(({ headers }) => headers["x-tenant"] === "b"),
    );
    const last = host.server.received.at(-1)?.headers;
    expect([last?.authorization, last?.["x-way"]]).toEqual(["Bearer t0ken-2", "through $(id)"]);
  });
});
