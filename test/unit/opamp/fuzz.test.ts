import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/foundation/clock.ts";
import { silentLogger } from "../../../src/foundation/logger.ts";
import { isUsableInstanceUid } from "../../../src/opamp/instance-uid.ts";
import {
  AgentToServerSchema,
  ServerErrorResponseType,
  type ServerToAgent,
} from "../../../src/opamp/messages.ts";
import { type AgentState, answerFlags, mergeReport } from "../../../src/opamp/server/agent-state.ts";
import { OpampEndpoint } from "../../../src/opamp/server/endpoint.ts";
import { goodReports, gzipBomb, hostileBytes } from "../../support/hostile-bytes.ts";
import { answerOf, bodyOf, exchange, serveEndpoint, uidOf, WireAgent } from "../../support/opamp-wire.ts";

const mebibyte = 1024 * 1024;
const maxMessageBytes = mebibyte;
const hostile = hostileBytes(goodReports);

let port = 0;
let stop = async () => {};
let bystander: WireAgent;
let sequenceNum = 0n;
let openConnections = 0;

beforeAll(async () => {
  // One state for all: whatever was accepted is merged with whatever was accepted before it.
  let state: AgentState | undefined;
  const endpoint = new OpampEndpoint<undefined>(
    { capabilities: 1n, maxMessageBytes, logger: silentLogger, clock: systemClock },
    {
      admit: () => ({ admit: true, context: undefined }),
      onConnected: () => {
        openConnections += 1;
      },
      onClosed: () => {
        openConnections -= 1;
      },
      onMessage: (_connection, message) => {
        const merged = mergeReport(state, message);
        state = merged.state;
        return { flags: answerFlags(merged) };
      },
    },
  );
  const served = await serveEndpoint(endpoint);
  ({ port } = served);
  bystander = await WireAgent.open(port);
  stop = async () => {
    await bystander.end();
    await endpoint.close();
    await served.stop();
  };
});

afterAll(() => stop());

/** A good agent, on a WebSocket that was open before, is still served. */
async function expectBystanderServed(): Promise<void> {
  sequenceNum += 1n;
  const answer = await bystander.ask({ instanceUid: uidOf(0xab), sequenceNum });
  expect(answer.errorResponse).toBeUndefined();
  expect(answer.instanceUid).toEqual(uidOf(0xab));
}

/** BAD_REQUEST alone for what is no message of a usable agent, an answer under its own name for the rest. */
function rightAnswer(body: Uint8Array): unknown {
  const instanceUid = uidIn(body);
  if (instanceUid !== undefined) return { instanceUid };
  return { error: ServerErrorResponseType.ServerErrorResponseType_BadRequest, explained: true, beside: 0n };
}

function gist({ instanceUid, errorResponse, flags, capabilities }: ServerToAgent): unknown {
  if (errorResponse === undefined) return { instanceUid };
  const { type, errorMessage } = errorResponse;
  return { error: type, explained: errorMessage !== "", beside: flags | capabilities };
}

function uidIn(body: Uint8Array): Uint8Array | undefined {
  try {
    const { instanceUid } = fromBinary(AgentToServerSchema, body);
    return isUsableInstanceUid(instanceUid) ? instanceUid : undefined;
  } catch {
    return undefined;
  }
}

describe("hostile messages", () => {
  it("over WebSocket are each answered rightly, on a connection that stays", async () => {
    expect.hasAssertions();
    const agent = await WireAgent.open(port, { deflate: true });
    const property = fc.asyncProperty(hostile, fc.boolean(), async (body, compress) => {
      agent.socket.send(Buffer.concat([Uint8Array.of(0), body]), { compress });
      expect(gist(await agent.next())).toEqual(rightAnswer(body));
    });
    await fc.assert(property, { numRuns: 500, endOnFailure: true });
    await expectBystanderServed();
    await agent.end();
  });

  it("over plain HTTP are each answered rightly", async () => {
    const property = fc.asyncProperty(hostile, fc.boolean(), async (body, gzip) => {
      const response = await exchange(
        port,
        gzip ? gzipSync(body) : body,
        gzip ? { headers: { "content-encoding": "gzip" } } : {},
      );
      expect(response.status).toBe(uidIn(body) === undefined ? 400 : 200);
      expect(gist(answerOf(response))).toEqual(rightAnswer(body));
    });
    await fc.assert(property, { numRuns: 300, endOnFailure: true });
    await expectBystanderServed();
  });

  it("without OpAMP's frame header get an answer each, too", async () => {
    expect.hasAssertions();
    const agent = await WireAgent.open(port);
    const noise = fc.uint8Array({ maxLength: 100 });
    const property = fc.asyncProperty(noise, async (frame) => {
      agent.socket.send(frame);
      const answer = await agent.next();
      expect(answer.errorResponse === undefined && frame[0] !== 0 && frame[0] !== 0x80).toBe(false);
    });
    await fc.assert(property, { numRuns: 200, endOnFailure: true });
    await agent.end();
  });

  it("that are no WebSocket frames end their own connection only", async () => {
    const property = fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (noise) => {
      const socket = connect(port, "127.0.0.1");
      const closed = new Promise((resolve) => socket.on("close", resolve));
      socket.on("error", () => undefined);
      socket.write(
        `GET /v1/opamp HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${"A".repeat(22)}==\r\n\r\n`,
      );
      socket.resume();
      socket.end(noise);
      await closed;
    });
    await fc.assert(property, { numRuns: 100, endOnFailure: true });
    await expect.poll(() => openConnections).toBe(1);
    await expectBystanderServed();
  });
});

// Half a gigabyte is packed, masked and unpacked here: on a busy machine that takes its time.
describe("bombs", { timeout: 60_000 }, () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const unpacked = 64 * mebibyte;
  const rounds = 8;
  const atOnce = 8;

  /** Bytes that stay allocated after `work`, and by how much the process was ever larger than before it. */
  async function memoryOf(work: () => Promise<void>): Promise<{ left: number; peak: number }> {
    collectGarbage();
    const before = process.memoryUsage();
    let highest = before.rss;
    const watch = setInterval(() => {
      highest = Math.max(highest, process.memoryUsage.rss());
    }, 5);
    await work();
    clearInterval(watch);
    collectGarbage();
    const after = process.memoryUsage();
    const held = ({ heapUsed, arrayBuffers }: NodeJS.MemoryUsage) => heapUsed + arrayBuffers;
    return { left: held(after) - held(before), peak: highest - before.rss };
  }

  // Unpacked whole, those under way together would take 512 MiB; held on to, the rejected starts of all 64 MiB.
  const maxPeak = 256 * mebibyte;
  const maxLeft = 24 * mebibyte;

  it("SH3: of gzip are refused with 413, and memory stays", async () => {
    const bomb = gzipBomb(unpacked);
    const { left, peak } = await memoryOf(async () => {
      for (let round = 0; round < rounds; round += 1) {
        const headers = { "content-encoding": "gzip" };
        const sent = Array.from({ length: atOnce }, () => exchange(port, bomb, { headers }));
        for (const { status } of await Promise.all(sent)) expect(status).toBe(413);
      }
    });
    expect(left).toBeLessThan(maxLeft);
    expect(peak).toBeLessThan(maxPeak);
    await expectBystanderServed();
  });

  it("P3: of permessage-deflate are closed with 1009, and memory stays", async () => {
    const zeroes = Buffer.alloc(unpacked);
    const agents = await Promise.all(
      Array.from({ length: atOnce }, () => WireAgent.open(port, { deflate: true })),
    );
    const { left, peak } = await memoryOf(async () => {
      for (const agent of agents) {
        agent.socket.send(zeroes, { compress: true });
        expect((await agent.closed).code).toBe(1009);
      }
    });
    expect(left).toBeLessThan(maxLeft);
    expect(peak).toBeLessThan(maxPeak);
    await expectBystanderServed();
  });

  it("of millions of empty parts are refused before they are decoded", async () => {
    // 16 MiB of two-byte attributes would decode to some 900 MB.
    const attributes = new Uint8Array(16 * mebibyte).map((_, index) => (index % 2 === 0 ? 0x0a : 0));
    const crowd = Buffer.concat([Uint8Array.of(0x1a, 0x80, 0x80, 0x80, 0x08), attributes]);
    const body = Buffer.concat([bodyOf({ instanceUid: uidOf(4) }), crowd]);
    const roomy = new OpampEndpoint<undefined>(
      { capabilities: 1n, logger: silentLogger, clock: systemClock },
      { admit: () => ({ admit: true, context: undefined }), onMessage: () => ({}), onClosed: () => {} },
    );
    const served = await serveEndpoint(roomy);
    const agent = await WireAgent.open(served.port, { deflate: true });
    const { peak } = await memoryOf(async () => {
      agent.socket.send(Buffer.concat([Uint8Array.of(0), body]), { compress: true });
      expect((await agent.next()).errorResponse?.errorMessage).toContain("more than 500000 fields");
      const response = await exchange(served.port, body);
      expect(response.status).toBe(400);
      expect(answerOf(response).errorResponse?.errorMessage).toContain("more than 500000 fields");
    });
    expect(peak).toBeLessThan(maxPeak);
    await agent.end();
    await served.stop();
  });

  it("of messages that are never waited for are taken at the pace they are handled", async () => {
    const agent = await WireAgent.open(port);
    const count = 5000;
    for (let index = 0; index < count; index += 1) {
      agent.socket.send(Buffer.concat([Uint8Array.of(0), bodyOf({ instanceUid: uidOf(3) })]));
    }
    for (let index = 0; index < count; index += 1) expect((await agent.next()).errorResponse).toBeUndefined();
    await expectBystanderServed();
    await agent.end();
  });
});
