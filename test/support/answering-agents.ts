import { onTestFinished } from "vitest";
import { formatInstanceUid } from "../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses, type ServerToAgent } from "../../src/opamp/messages.ts";
import { RawWebSocketAgent } from "./raw-agent.ts";

const { RemoteConfigStatuses_APPLIED: APPLIED, RemoteConfigStatuses_FAILED: FAILED } = RemoteConfigStatuses;

/** Agents that answer every configuration offered with APPLIED, or FAILED where it has the word `bad` in it. */
export class AnsweringAgents {
  /** Hashes that each was offered, by instance UID. */
  readonly offers = new Map<string, string[]>();
  readonly #url: URL;

  constructor(url: URL) {
    this.#url = url;
  }

  async join(count: number, attributes?: Record<string, string>): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const options = attributes === undefined ? {} : { attributes };
      const { agent, answer } = await RawWebSocketAgent.join(this.#url, options);
      onTestFinished(() => agent.socket.terminate());
      void this.#follow(agent, answer).catch(() => undefined);
    }
  }

  /** How many were ever offered this. */
  count({ hashHex }: { hashHex: string }): number {
    return [...this.offers.values()].filter((hashes) => hashes.includes(hashHex)).length;
  }

  /** How many were offered this last. */
  have({ hashHex }: { hashHex: string }): number {
    return [...this.offers.values()].filter((hashes) => hashes.at(-1) === hashHex).length;
  }

  /** Until its socket ends. */
  async #follow(agent: RawWebSocketAgent, first: ServerToAgent): Promise<void> {
    for (let message = first; ; message = await agent.receive()) this.#answer(agent, message);
  }

  #answer(agent: RawWebSocketAgent, { remoteConfig }: ServerToAgent): void {
    if (remoteConfig === undefined) return;
    const id = formatInstanceUid(agent.speaker.uid);
    const hash = Buffer.from(remoteConfig.configHash).toString("hex");
    this.offers.set(id, [...(this.offers.get(id) ?? []), hash]);
    const bodies = Object.values(remoteConfig.config?.configMap ?? {});
    const fails = bodies.some(({ body }) => Buffer.from(body).includes("bad"));
    agent.send({
      remoteConfigStatus: {
        lastRemoteConfigHash: remoteConfig.configHash,
        status: fails ? FAILED : APPLIED,
        errorMessage: fails ? "no such receiver" : "",
      },
    });
  }
}
