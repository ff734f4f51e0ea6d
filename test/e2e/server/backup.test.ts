import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgresObstacle, startPostgres } from "../../support/postgres.ts";
import { fetchJson, RawWebSocketAgent } from "../../support/raw-agent.ts";
import { onFreePorts, ServerProcess, settingsFile } from "../../support/server-process.ts";
import { tempDir } from "../../support/temp-dir.ts";

const cannot = process.env.CI === undefined && postgresObstacle !== undefined;
const program = fileURLToPath(new URL("../../../src/cli/server.ts", import.meta.url));
const opampServer = (...args: string[]) => promisify(execFile)(process.execPath, [program, ...args]);

const agentsAt = async (management: URL) =>
  (await fetchJson(new URL("/api/v1/agents", management))).json.agents;

describe.skipIf(cannot)("opamp-server backup and restore", () => {
  it("move a running server from the embedded database to PostgreSQL, and back", async () => {
    await using postgres = await startPostgres();
    const embedded = await settingsFile(`${onFreePorts}storage: {directory: ${tempDir()}}\n`);
    const shared = await settingsFile(
      `${onFreePorts}storage: {postgres_url: "${await postgres.freshDatabase()}"}\n`,
    );
    const back = await settingsFile(`${onFreePorts}storage: {directory: ${tempDir()}}\n`);
    const files = [join(tempDir(), "first"), join(tempDir(), "second")] as const;

    const server = new ServerProcess("--config", embedded);
    const { opamp, management } = await server.urls();
    const { agent } = await RawWebSocketAgent.join(opamp);
    onTestFinished(() => agent.socket.terminate());
    await fetchJson(new URL("/api/v1/config?strategy=immediate", management), {
      method: "POST",
      body: "receivers:\n",
    });
    await agent.receive();
    await agent.close();
    await server.logged("agent_disconnected");
    const [before] = (await agentsAt(management)) as { id: string }[];
    // What a moment ago was heard is in the backup when it was answered for; this waits for it to be stored.
    await fetchJson(new URL(`/api/v1/agents/${before!.id}/offers`, management));
    await opampServer("backup", files[0], "--config", embedded);
    await opampServer("restore", files[0], "--config", shared);
    await opampServer("backup", files[1], "--config", shared);
    await opampServer("restore", files[1], "--config", back);
    const restored = new ServerProcess("--config", back);
    const urls = await restored.urls();
    expect(await agentsAt(urls.management)).toEqual([before]);
    const again = await RawWebSocketAgent.join(urls.opamp, { uid: agent.speaker.uid });
    onTestFinished(() => again.agent.socket.terminate());
    expect(again.answer.remoteConfig).toBeDefined();
    await expect(opampServer("restore", files[1], "--config", back)).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining("is in use by another opamp-server"),
    });
  });
});
