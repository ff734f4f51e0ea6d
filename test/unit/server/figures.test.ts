import { expect, it, onTestFinished } from "vitest";
import { encodeFigures, type Figures, figuresCapability, figuresType } from "../../../src/opamp/figures.ts";
import { formatInstanceUid } from "../../../src/opamp/instance-uid.ts";
import { RemoteConfigStatuses } from "../../../src/opamp/messages.ts";
import { fetchJson, RawWebSocketAgent } from "../../support/raw-agent.ts";
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

it("shows them, and as config_hash what really runs; a refused one stands apart", async () => {
  const { server, api } = await startTestServer();
  const { agent } = await RawWebSocketAgent.join(server.opampUrl);
  onTestFinished(() => agent.socket.terminate());
  const url = api(`/api/v1/agents/${formatInstanceUid(agent.speaker.uid)}`);
  const { RemoteConfigStatuses_APPLIED: applied, RemoteConfigStatuses_FAILED: failed } = RemoteConfigStatuses;
  const say = (status: RemoteConfigStatuses) =>
    agent.exchange({
      remoteConfigStatus: { lastRemoteConfigHash: Buffer.from("0c0d", "hex"), status, errorMessage: "" },
    });
  expect((await fetchJson(url)).json).toMatchObject({ figures: null });
  await say(applied);
  expect((await fetchJson(url)).json).toMatchObject({ config_hash: "0c0d" });
  await say(failed);
  expect((await fetchJson(url)).json).toMatchObject({ config_hash: null });
  const data = encodeFigures(figures);
  await agent.exchange({ customMessage: { capability: figuresCapability, type: figuresType, data } });
  expect((await fetchJson(url)).json).toMatchObject({
    config_hash: "0a0b",
    remote_config_status: { hash: "0c0d", status: "FAILED" },
    figures,
  });
});
