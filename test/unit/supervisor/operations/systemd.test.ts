import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type LogFields, silentLogger } from "../../../../src/foundation/logger.ts";
import { type ServiceSource, Systemd } from "../../../../src/supervisor/operations/systemd.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { receiveDatagrams } from "../../../support/notify-socket.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const watchdog = { WATCHDOG_USEC: "30000000", WATCHDOG_PID: String(process.pid) };

interface Options {
  env?: Record<string, string>;
  source?: Partial<ServiceSource>;
  /** Rejects what is told while it is set. */
  deaf?: { now: boolean };
}

/** A port that takes connections, as the local link does. */
async function listening(): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((socket) => socket.resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = () => new Promise<void>((resolve) => server.close(() => resolve()));
  onTestFinished(close);
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return { port: address.port, close };
}

function speaking({ env = {}, source, deaf }: Options) {
  const clock = new ManualClock();
  const told: string[][] = [];
  const errors: LogFields[] = [];
  const systemd = new Systemd({
    env,
    clock,
    logger: { ...silentLogger, error: (fields: LogFields) => errors.push(fields) },
    notify: async (assignments) => {
      if (deaf?.now) throw new Error("nobody listens");
      told.push([...assignments]);
    },
  });
  onTestFinished(() => systemd.stopping("end of the test"));
  const ready = () => systemd.ready({ status: () => "all is well", linkPort: () => 1, ...source });
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  return { clock, told, errors, systemd, ready, settled };
}

describe("Systemd", () => {
  it("says READY and the status at once, and the status again only when it is another", async () => {
    let status = "one\nSTOPPING=1";
    const { clock, told, ready, settled } = speaking({ source: { status: () => status } });
    ready();
    await settled();
    expect(told.flat()).toEqual(["READY=1", "STATUS=one STOPPING=1"]);
    clock.advance(10_000);
    await settled();
    expect(told.flat()).toHaveLength(2);
    status = "two";
    clock.advance(10_000);
    await settled();
    expect(told.flat().slice(2)).toEqual(["STATUS=two"]);
  });

  it("feeds the watchdog three times in its interval, while the local link takes connections", async () => {
    const { port } = await listening();
    const { clock, told, ready } = speaking({ env: watchdog, source: { linkPort: () => port } });
    ready();
    for (const beats of [1, 2, 3]) {
      clock.advance(10_000);
      await eventually(
        `beat ${beats}`,
        () => told.flat().filter((line) => line === "WATCHDOG=1").length === beats,
      );
    }
  });

  it("withholds it, and says so once, when the local link takes none", async () => {
    const { port, close } = await listening();
    await close();
    const { clock, told, errors, ready } = speaking({ env: watchdog, source: { linkPort: () => port } });
    ready();
    clock.advance(10_000);
    await eventually("the complaint", () => errors.length > 0);
    clock.advance(10_000);
    clock.advance(10_000);
    expect(errors).toMatchObject([{ event: "watchdog_withheld", port }]);
    expect(told.flat()).not.toContain("WATCHDOG=1");
  });

  it.each([
    ["systemd does not ask for it", {}],
    ["it is another process's", { ...watchdog, WATCHDOG_PID: "1" }],
    ["its interval is nonsense", { WATCHDOG_USEC: "soon" }],
  ])("does not feed a watchdog when %s", async (_why, env) => {
    const { port } = await listening();
    let asked = 0;
    const source = {
      linkPort: () => {
        asked += 1;
        return port;
      },
    };
    const { clock, ready } = speaking({ env, source });
    ready();
    clock.advance(60_000);
    expect(asked).toBe(0);
  });

  it("says what could not be said again at the next beat, and complains once", async () => {
    const deaf = { now: true };
    const { clock, told, errors, ready, settled } = speaking({ deaf });
    ready();
    await settled();
    clock.advance(10_000);
    await settled();
    expect(errors).toMatchObject([{ event: "systemd_not_told" }]);
    deaf.now = false;
    clock.advance(10_000);
    await settled();
    expect(told.flat()).toEqual(["READY=1", "STATUS=all is well"]);
  });

  it("says STOPPING, and nothing after it", async () => {
    const { port } = await listening();
    const { clock, told, systemd, ready, settled } = speaking({
      env: watchdog,
      source: { linkPort: () => port },
    });
    ready();
    await settled();
    systemd.stopping("stopping");
    clock.advance(60_000);
    await settled();
    expect(told.flat().slice(2)).toEqual(["STOPPING=1", "STATUS=stopping"]);
    expect(clock.pending).toEqual([]);
  });

  it("reaches a real socket, by systemd's own tool", async () => {
    const socket = join(tempDir(), "notify");
    const { lines } = await receiveDatagrams(socket);
    const systemd = new Systemd({
      env: { PATH: process.env.PATH, NOTIFY_SOCKET: socket },
      clock: new ManualClock(),
      logger: silentLogger,
    });
    systemd.ready({ status: () => "all is well", linkPort: () => 1 });
    await eventually("both lines", () => lines.includes("READY=1") && lines.includes("STATUS=all is well"));
    systemd.stopping("bye");
    await eventually("the last line", () => lines.includes("STOPPING=1"));
  });
});
