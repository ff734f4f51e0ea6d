import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type AgentRemoteConfig, RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { Signer, toOffer, withEntry } from "../../support/signed-configuration.ts";
import { type HostOptions, type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const { RemoteConfigStatuses_FAILED: failed, RemoteConfigStatuses_APPLIED: applied } = RemoteConfigStatuses;
const now = () => Math.floor(Date.now() / 1_000);

/** A host that trusts a signer. */
async function trustingHost(options: HostOptions = {}): Promise<{ host: SupervisorHost; signer: Signer }> {
  const signer = new Signer();
  const host = await supervisorHost(options);
  await trust(host, [signer]);
  return { host, signer };
}

async function trust(host: SupervisorHost, signers: readonly Signer[]): Promise<void> {
  const config_keys = signers.map((signer, index) => signer.writeKey(join(host.dir, `key-${index}.pub`)));
  await host.writeSettings({ trust: { config_keys }, description: labels });
}

const labels = { non_identifying_attributes: { env: "prod" } };

const pipeline = (host: SupervisorHost, mark: string) =>
  host.remotePipeline({ statements: [`set(log.attributes["mark"], "${mark}")`] });

async function refusal(host: SupervisorHost, offer: AgentRemoteConfig): Promise<string> {
  const from = host.server.mark;
  host.server.offer(offer);
  const { status, errorMessage } = await host.server.verdict(offer, from);
  expect(status).toBe(failed);
  return errorMessage;
}

describe("a supervisor with agent.trust.config_keys", () => {
  it("applies what is signed; the Collector never sees the signature", async () => {
    const { host, signer } = await trustingHost();
    await host.startHealthy();
    const signed = await signer.sign(pipeline(host, "first"), { aud: ["selector:env=prod"] });
    await host.apply(signed);
    await host.expectDataFlows();
    expect(await host.readState("effective.yaml")).not.toContain("eyJ");
    expect(host.server.effectiveText).not.toContain("eyJ");
    expect(JSON.parse(await host.readState("config_trust.json"))).toMatchObject({ serial: 1 });
  });

  it("refuses in one word what is not, and touches nothing", async () => {
    const { host, signer } = await trustingHost();
    await host.startHealthy();
    await host.apply(await signer.sign(pipeline(host, "first"), { serial: 7 }));
    const pid = await host.onlyCollector();
    const effective = await host.readState("effective.yaml");
    const record = await host.readState("config_trust.json");
    const next = pipeline(host, "second");
    const signed = await signer.sign(next);
    const altered = withEntry(signed, "", { ...next.config!.configMap[""]!, contentType: "text/x-yaml" });
    const offers: [string, AgentRemoteConfig][] = [
      ["unsigned", next],
      ["unsigned", toOffer({})],
      ["altered", altered],
      ["unknown key", await new Signer().sign(next)],
      ["wrong audience", await signer.sign(next, { aud: ["selector:env=dev"] })],
      ["replayed", await signer.sign(next, { serial: 6 })],
      ["replayed", await signer.sign(next, { serial: 7 })],
      ["expired", await signer.sign(next, { serial: 99, iat: now() - 7_200, exp: now() - 3_600 })],
      ["not yet valid", await signer.sign(next, { serial: 100, iat: now() + 7_200, exp: now() + 9_000 })],
    ];
    for (const [word, offer] of offers)
      expect(await refusal(host, offer)).toMatch(new RegExp(`^refused by agent\\.trust: ${word}: `));
    expect(await host.onlyCollector()).toBe(pid);
    expect(await host.readState("effective.yaml")).toBe(effective);
    expect(await host.readState("config_trust.json")).toBe(record);
    expect(JSON.parse(await host.readState("configuration_book.json"))).toMatchObject({ quarantined: [] });
    await host.apply(signed);
    await host.expectDataFlows();
  });

  it("obeys a signed order to stop, and keeps to it over a restart", async () => {
    const { host, signer } = await trustingHost();
    await host.startHealthy();
    await host.apply(await signer.sign(pipeline(host, "first")));
    const stop = await host.apply(await signer.sign(toOffer({})));
    expect(await host.collectors()).toEqual([]);
    const from = host.server.mark;
    await host.restart("SIGTERM");
    await host.server.reported("health", ({ status }) => status.includes("empty configuration"), from);
    expect(host.server.statusesOf(stop).at(-1)).toBe("APPLIED");
    expect(await host.collectors()).toEqual([]);
  });

  it("goes on with what it has kept after its signature expired, and without its book", async () => {
    const { host, signer } = await trustingHost();
    await host.startHealthy();
    // The skew of the first start lets it in, that of the second would not.
    const claims = { serial: 5, iat: now() - 120, exp: now() - 60 };
    const kept = await signer.sign(pipeline(host, "first"), claims);
    await host.apply(kept);
    await host.kill("SIGTERM");
    await rm(join(host.stateDir, "configuration_book.json"));
    await rm(join(host.stateDir, "config_trust.json"));
    await host.writeSettings({
      trust: { config_keys: [join(host.dir, "key-0.pub")], clock_skew: "0s" },
      description: labels,
    });
    await host.startHealthy();
    await host.expectDataFlows();
    expect(await refusal(host, await signer.sign(pipeline(host, "old"), { serial: 4 }))).toContain(
      "replayed",
    );
  });

  it("takes other keys from those that it trusts", async () => {
    const { host, signer } = await trustingHost();
    const next = new Signer("ec");
    await host.startHealthy();
    const first = await signer.rotate(pipeline(host, "first"), [next], { serial: 1 });
    await host.apply(await next.sign(first, { serial: 1 }));
    await host.restart();
    expect(await refusal(host, await signer.sign(pipeline(host, "second"), { serial: 2 }))).toContain(
      "unknown key",
    );
    await host.apply(await next.sign(pipeline(host, "third"), { serial: 2 }));
    await host.expectDataFlows();
  });

  it("reverts one that is signed and bad, as any other, and takes the one after it", async () => {
    const { host, signer } = await trustingHost();
    await host.startHealthy();
    const good = await host.apply(await signer.sign(pipeline(host, "first")));
    const bad = await signer.sign(remoteConfig({ "": "receivers: {nosuch: }\nservice: {pipelines: {}}\n" }), {
      serial: 2,
    });
    expect(await refusal(host, bad)).toContain("nosuch");
    expect(JSON.parse(await host.readState("config_trust.json"))).toMatchObject({ serial: 1 });
    // What nobody has signed does not set it free.
    await refusal(host, pipeline(host, "unsigned"));
    const { quarantined } = JSON.parse(await host.readState("configuration_book.json")) as {
      quarantined: unknown[];
    };
    expect(quarantined).toHaveLength(1);
    const from = host.server.mark;
    host.server.offer(good);
    expect((await host.server.verdict(good, from)).status).toBe(applied);
    await host.apply(await signer.sign(pipeline(host, "third"), { serial: 2 }));
  });

  it("does not take a signature for a configuration where it trusts everybody", async () => {
    const host = await supervisorHost();
    await host.startHealthy();
    await host.apply(await new Signer().sign(pipeline(host, "first")));
    await host.expectDataFlows();
  });
});
