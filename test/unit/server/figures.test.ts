import { expect, it, onTestFinished } from "vitest";
import { encodeFigures, type Figures, figuresCapability, figuresType } from "../../../src/opamp/figures.ts";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { RawWebSocketAgent } from "../../support/raw-agent.ts";
import { startTestServer } from "./test-server.ts";

const figures: Figures = {
  at: 1_790_000_000_000,
  configuration: {
    remote_hash: "0a0b",
    content_hash: "c0ffee",
    role: "last-known-good",
    on_probation: false,
    refused: { hash: "0c0d", reason: "the Collector ended" },
    quarantined: [],
  },
  since_supervisor: { id: "a", started_at: 1_789_998_000_000, restarts: {}, error_logs: 3 },
};

it("announces the capability (SX2) and keeps the last figures of each Agent", async () => {
  const { server } = await startTestServer();
  const { agent, answer } = await RawWebSocketAgent.join(server.opampUrl);
  onTestFinished(() => agent.socket.terminate());
  expect(answer.customCapabilities?.capabilities).toContain(figuresCapability);
  const send = async (data: Uint8Array, capability = figuresCapability) => {
    await agent.exchange({ customMessage: { capability, type: figuresType, data } });
    return server.fleet.get(formatInstanceUid(agent.speaker.uid))?.figures;
  };
  expect(await send(encodeFigures(figures), "another")).toBeUndefined();
  expect(await send(encodeFigures(figures))).toEqual(figures);
  expect(await send(Buffer.from("{}"))).toEqual(figures);
  expect((await send(encodeFigures({ ...figures, at: 1_790_000_030_000 })))?.at).toBe(1_790_000_030_000);
});
