import { onTestFinished } from "vitest";
import { AgentCapability } from "../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../src/opamp/messages.ts";
import { RawWebSocketAgent, type Report, usualCapabilities } from "./raw-agent.ts";

/** Whether a simulated Agent takes a configuration, and why not. */
export type Verdict = (text: string) => "applied" | { failed: string };

export interface FleetMember {
  id: string;
  agent: RawWebSocketAgent;
}

export interface FleetOptions {
  size: number;
  attributes: (index: number) => Record<string, string>;
  report?: (index: number) => Report;
  verdict?: Verdict;
}

const statuses = RemoteConfigStatuses;

/** Agents without Collectors, for what takes many: they answer every offer at once by `verdict`. */
export async function simulatedFleet(
  opamp: URL,
  { size, attributes, report = () => ({}), verdict = () => "applied" }: FleetOptions,
): Promise<FleetMember[]> {
  const capabilities = usualCapabilities | AgentCapability.AcceptsRestartCommand;
  const members: FleetMember[] = [];
  for (let index = 0; index < size; index += 1) {
    const options = { capabilities, attributes: attributes(index) };
    const { agent } = await RawWebSocketAgent.join(opamp, options, report(index));
    members.push({ id: formatInstanceUid(agent.speaker.uid), agent });
    void answerOffers(agent, verdict);
  }
  onTestFinished(() => {
    for (const { agent } of members) agent.socket.terminate();
  });
  return members;
}

/** Until its connection closes. */
async function answerOffers(agent: RawWebSocketAgent, verdict: Verdict): Promise<void> {
  for (;;) {
    const message = await agent.receive().catch(() => undefined);
    if (message === undefined) return;
    const { remoteConfig } = message;
    if (remoteConfig === undefined) continue;
    const entries = remoteConfig.config?.configMap ?? {};
    const text = Object.values(entries)
      .map(({ body }) => Buffer.from(body).toString())
      .join("\n");
    const answer = verdict(text);
    const lastRemoteConfigHash = remoteConfig.configHash;
    agent.send(
      answer === "applied"
        ? {
            remoteConfigStatus: { lastRemoteConfigHash, status: statuses.RemoteConfigStatuses_APPLIED },
            effectiveConfig: { configMap: { configMap: entries } },
          }
        : {
            remoteConfigStatus: {
              lastRemoteConfigHash,
              status: statuses.RemoteConfigStatuses_FAILED,
              errorMessage: answer.failed,
            },
          },
    );
  }
}
