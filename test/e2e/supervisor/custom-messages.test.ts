import { once } from "node:events";
import { create } from "@bufbuild/protobuf";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";
import { decodeFrame, encodeFrame } from "../../../src/opamp/framing.ts";
import { AgentToServerSchema, type CustomMessage, ServerToAgentSchema } from "../../../src/opamp/messages.ts";
import type { AgentToServerInit } from "../../support/opamp-wire.ts";
import { remoteConfig } from "../../support/recording-opamp-server.ts";
import { type SupervisorHost, supervisorHost } from "../../support/supervisor-host.ts";

const capability = "io.opentelemetry.test";

/**
 * A stand-in for the Collector's extension, which announces no custom capability unless a component asks
 * for one, as none of these Collectors' does: a client of the local link with the extension's token.
 */
class StandIn {
  readonly messages: CustomMessage[] = [];
  readonly #socket: WebSocket;
  readonly #uid: Uint8Array;
  #sequence = 0n;
  #arrived: () => void = () => undefined;

  static async connect(host: SupervisorHost): Promise<StandIn> {
    const { port, token } = JSON.parse(await host.readState("local_link.json")) as {
      port: number;
      token: string;
    };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/opamp`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const standIn = new StandIn(socket, host.server.state!.instanceUid);
    await once(socket, "open");
    onTestFinished(() => socket.terminate());
    return standIn;
  }

  private constructor(socket: WebSocket, uid: Uint8Array) {
    this.#socket = socket;
    this.#uid = uid;
    socket.on("message", (data: Buffer) => {
      const { customMessage } = decodeFrame(ServerToAgentSchema, new Uint8Array(data));
      if (customMessage !== undefined) this.messages.push(customMessage);
      this.#arrived();
    });
  }

  say(init: AgentToServerInit): void {
    const message = create(AgentToServerSchema, init);
    message.instanceUid = this.#uid;
    message.sequenceNum = this.#sequence;
    this.#sequence += 1n;
    this.#socket.send(encodeFrame(AgentToServerSchema, message));
  }

  async nextMessage(): Promise<CustomMessage> {
    while (this.messages.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.messages.shift()!;
  }
}

/** Without a Collector, whose extension would take its link back. */
async function hostWithoutCollector(customCapabilities: string[]): Promise<SupervisorHost> {
  const host = await supervisorHost({ customCapabilities });
  await host.startHealthy();
  await host.apply(remoteConfig({}));
  return host;
}

describe("custom messages", () => {
  it("go both ways once both sides have announced the capability", async () => {
    const host = await hostWithoutCollector([capability]);
    const standIn = await StandIn.connect(host);
    standIn.say({ agentDescription: {}, customCapabilities: { capabilities: [capability] } });
    await host.server.reported("customCapabilities", ({ capabilities }) => capabilities.includes(capability));

    const up = { capability, type: "question", data: new Uint8Array([1, 2, 3]) };
    standIn.say({ customMessage: up });
    const { customMessage } = await host.server.message(
      "the custom message",
      (message) => message.customMessage !== undefined,
    );
    expect(customMessage).toMatchObject(up);

    const down = { capability, type: "answer", data: new Uint8Array([4, 5]) };
    host.server.push({ customMessage: down });
    expect(await standIn.nextMessage()).toMatchObject(down);
  });

  it("of a capability that the other side has not announced go nowhere", async () => {
    const host = await hostWithoutCollector([capability]);
    const standIn = await StandIn.connect(host);
    const both = { capabilities: [capability, "only.mine"] };
    standIn.say({ agentDescription: {}, customCapabilities: both });
    await host.server.reported("customCapabilities", ({ capabilities }) =>
      capabilities.includes("only.mine"),
    );
    for (const name of ["only.mine", capability]) {
      standIn.say({ customMessage: { capability: name, type: "t", data: new Uint8Array() } });
    }
    await host.server.message("the second message", (message) => message.customMessage !== undefined);
    const arrived = host.server.received.flatMap(({ message }) => message.customMessage?.capability ?? []);
    expect(arrived).toEqual([capability]);

    for (const name of ["only.theirs", capability]) {
      host.server.push({ customMessage: { capability: name, type: "t", data: new Uint8Array() } });
    }
    expect((await standIn.nextMessage()).capability).toBe(capability);
    expect(standIn.messages).toEqual([]);
  });
});
