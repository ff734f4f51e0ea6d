import { chmodSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type AgentToServer, RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { expectRuns, named, standIn } from "../../support/fault-host.ts";
import { hashOf } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const {
  RemoteConfigStatuses_APPLIED: applied,
  RemoteConfigStatuses_APPLYING: applying,
  RemoteConfigStatuses_FAILED: failed,
} = RemoteConfigStatuses;

const agent = { probation: "1ms" };

async function onBefore(): Promise<SupervisorHost> {
  const host = await supervisorHost({ agent });
  await host.startHealthy();
  await host.apply(named(host, "before"));
  await host.server.until("healthy", () => host.server.state?.health?.healthy);
  return host;
}

/** Has the supervisor die at the moment when the server hears this of `config`, which it offers once. */
async function killWhenTold(host: SupervisorHost, name: string, status: RemoteConfigStatuses): Promise<void> {
  const config = named(host, name);
  const { promise: told, resolve } = Promise.withResolvers<void>();
  host.server.answer = ({ message: { remoteConfigStatus } }) => {
    const isOfIt = Buffer.from(remoteConfigStatus?.lastRemoteConfigHash ?? []).equals(config.configHash);
    if (isOfIt && remoteConfigStatus?.status === status) {
      void host.kill();
      resolve();
    }
    return {};
  };
  host.server.offer(config);
  await told;
  await host.kill();
  host.server.answer = () => ({});
}

/** What the next supervisor says first of all. */
async function firstWords(host: SupervisorHost, from: number): Promise<AgentToServer> {
  await host.start();
  return host.server.message("first words", () => true, from);
}

describe("a supervisor that dies at the moment when the server hears", () => {
  it("APPLYING: the next one comes to a verdict, though nothing is offered again", async () => {
    const host = await onBefore();
    const config = named(host, "after");
    await killWhenTold(host, "after", applying);
    const from = host.server.mark;
    await host.start();
    await host.server.verdict(config, from);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "APPLIED"]);
    await expectRuns(host, "after");
  });

  it("APPLIED: that is the first that the next one says", async () => {
    const host = await onBefore();
    await killWhenTold(host, "after", applied);
    const { remoteConfigStatus } = await firstWords(host, host.server.mark);
    expect(remoteConfigStatus).toMatchObject({
      status: applied,
      lastRemoteConfigHash: named(host, "after").configHash,
    });
    await expectRuns(host, "after");
  });
});

describe("a configuration that this host could not take", () => {
  it("is FAILED in the first words of the next supervisor too, which tries it again by itself", async () => {
    const host = await supervisorHost({ agent });
    const executable = standIn(host, 'exec "$COLLECTOR" "$@"');
    await host.writeSettings({ executable });
    const supervisor = await host.startHealthy();
    await host.apply(named(host, "before"));
    // Nothing can be checked with a program that nobody may execute.
    chmodSync(executable, 0o644);
    const config = host.server.offer(named(host, "after"));
    await host.server.verdict(config);
    expect(host.server.statusesOf(config)).toEqual(["APPLYING", "FAILED"]);
    expect(await host.readState("configuration_book.json")).not.toContain(hashOf(config));
    await expectRuns(host, "before");

    await supervisor.kill("SIGTERM");
    chmodSync(executable, 0o755);
    const from = host.server.mark;
    const { remoteConfigStatus } = await firstWords(host, from);
    expect(remoteConfigStatus).toMatchObject({
      status: failed,
      lastRemoteConfigHash: config.configHash,
      errorMessage: expect.stringContaining(executable) as string,
    });
    await host.server.until("APPLIED", () => host.server.statusesOf(config).at(-1) === "APPLIED");
    expect(host.server.statusesOf(config, from)).toEqual(["FAILED", "APPLYING", "APPLIED"]);
    await expectRuns(host, "after");

    // And then no more.
    const again = host.server.mark;
    await host.apply(named(host, "later"));
    await host.restart("SIGTERM");
    await expectRuns(host, "later");
    expect(host.server.statusesOf(config, again)).toEqual([]);
  });
});
