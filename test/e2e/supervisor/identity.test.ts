import { describe, expect, it } from "vitest";
import { formatInstanceUid, parseInstanceUid } from "../../../src/opamp/instance-uid.ts";
import type { AgentDescription } from "../../../src/opamp/messages.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const first = "018fee23-4a51-7303-a441-73faed7d9deb";
const second = "018fee23-4a51-7303-a441-73faed7d9dec";

const uidOf = (host: SupervisorHost) => formatInstanceUid(host.server.state!.instanceUid);

function instanceIdOf(description: AgentDescription | undefined): string | undefined {
  const attribute = description?.identifyingAttributes.find(({ key }) => key === "service.instance.id");
  return attribute?.value?.value.case === "stringValue" ? attribute.value.value.value : undefined;
}

/** By what the Collector itself reports, which is not the supervisor's to make up. */
async function expectExtensionUses(host: SupervisorHost, uid: string): Promise<void> {
  await host.server.until(`the Collector's extension uses ${uid}`, () =>
    host.server.effectiveText.includes(`instance_uid: ${uid}`),
  );
  expect(await host.readState("effective.yaml")).toContain(uid);
}

describe("the instance UID", () => {
  it("is a version 7 UUID and the same after a restart", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    const uid = uidOf(host);
    expect(uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
    expect(instanceIdOf(host.server.state?.agentDescription)).toBe(uid);
    await supervisor.kill("SIGTERM");
    const from = host.server.mark;
    await host.startHealthy();
    for (const { message } of host.server.received.slice(from)) {
      expect(formatInstanceUid(message.instanceUid)).toBe(uid);
    }
  });

  it("given by the server is adopted, kept over a restart and used by the Collector's extension", async () => {
    const host = await supervisorHost();
    const supervisor = await host.startHealthy();
    await host.apply(host.remotePipeline());
    await expectExtensionUses(host, uidOf(host));
    host.server.push({ agentIdentification: { newInstanceUid: parseInstanceUid(second)! } });
    await host.server.until("the new UID", () => uidOf(host) === second);
    await host.server.until(
      "a description with it",
      () => instanceIdOf(host.server.state?.agentDescription) === second,
    );
    await expectExtensionUses(host, second);
    await host.server.until("healthy again", () => host.server.state?.health?.healthy);
    expect(await host.readState("persistent_state.yaml")).toContain(`instance_id: ${second}`);
    await host.expectDataFlows();

    await supervisor.kill("SIGTERM");
    const from = host.server.mark;
    await host.startHealthy();
    for (const { message } of host.server.received.slice(from)) {
      expect(formatInstanceUid(message.instanceUid)).toBe(second);
    }
    await host.expectDataFlows();
  });

  it("of agent.instance_id counts only while there is no state file", async () => {
    const host = await supervisorHost({ agent: { instance_id: first } });
    const supervisor = await host.startHealthy();
    expect(uidOf(host)).toBe(first);
    await supervisor.kill("SIGTERM");
    await host.writeSettings({ instance_id: second });
    const from = host.server.mark;
    await host.startHealthy();
    for (const { message } of host.server.received.slice(from)) {
      expect(formatInstanceUid(message.instanceUid)).toBe(first);
    }
  });
});
