import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { eventually } from "../support/eventually.ts";
import { RawWebSocketAgent } from "../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../support/server-process.ts";
import { tempDir } from "../support/temp-dir.ts";

async function ctl(...args: string[]) {
  const call = new ServerProcess("ctl", ...args);
  const code = await call.exited;
  return { code, output: call.output, errors: call.errors };
}

describe("opamp-server ctl", () => {
  it("pushes to a running server, lists its agents and follows its events", async () => {
    const server = new ServerProcess("--config", await settingsFile(onFreePorts));
    const { opamp, management } = await server.urls();
    const { agent } = await RawWebSocketAgent.join(opamp, { attributes: { env: "prod" } });
    onTestFinished(() => agent.socket.terminate());
    const events = new ServerProcess("ctl", "events", "-f", "--json", "--server", management.href);
    await eventually("the stream is open", () => events.errors.includes("following"));
    const file = join(tempDir(), "collector.yaml");
    await writeFile(file, "receivers:\n");
    const url = management.href;
    const push = await ctl("config", "push", file, "--selector", "env=prod", "--server", url);
    expect(push).toMatchObject({
      code: 0,
      output: expect.stringMatching(/1 of 1 agents have the offer now/),
    });
    expect((await agent.receive()).remoteConfig).toBeDefined();
    const list = await ctl("--server", management.href, "agents", "--json");
    expect(JSON.parse(list.output)).toMatchObject({ agents: [{ labels: { env: "prod" } }] });
    await eventually("the offer is told of", () => events.output.includes('"type":"offer.made"'));
    events.child.kill("SIGTERM");
    await events.exited;
  });

  it("exits 1 when it is refused or reaches nobody, 2 when it is called wrongly", async () => {
    const server = new ServerProcess("--config", await settingsFile(onFreePorts));
    const { management } = await server.urls();
    const refused = await ctl("agents", "env=", "--server", management.href);
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining("Bad selector")]);
    server.child.kill("SIGTERM");
    await server.exited;
    const nobody = await ctl("agents", "--server", management.href);
    expect([nobody.code, nobody.errors]).toEqual([1, expect.stringContaining("cannot reach")]);
    expect((await ctl("agnets")).code).toBe(2);
    expect((await ctl("agents", "--selectr", "a")).code).toBe(2);
    expect((await ctl("agents", "--ca", "/nowhere.pem")).errors).toContain("--ca /nowhere.pem");
    expect(await ctl("--help")).toMatchObject({ code: 0, output: expect.stringContaining("ctl COMMAND") });
  });
});
