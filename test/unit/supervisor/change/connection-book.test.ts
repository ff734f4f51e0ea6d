import { describe, expect, it } from "vitest";
import { ReportedState } from "../../../../src/opamp/agent/reported-state.ts";
import { ConnectionSettingsStatuses } from "../../../../src/opamp/messages.ts";
import { ConnectionBook } from "../../../../src/supervisor/change/connection-book.ts";
import {
  type ConnectionRecord,
  noConnectionRecord,
} from "../../../../src/supervisor/connection/connection-record.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const offer = { hash: "aa", key: "aa" };
const failure = { fault: "own", reason: "why" } as const;

/** A book, and what the server is told of it. */
function open(record: ConnectionRecord = noConnectionRecord) {
  const state = new ReportedState({ instanceUid: new Uint8Array(16), capabilities: 0n });
  const clock = new ManualClock();
  let saved = record;
  const save = async (next: ConnectionRecord) => {
    saved = next;
  };
  const book = new ConnectionBook(record, { state, clock, save });
  const told = () => {
    const status = state.get("connectionSettingsStatus");
    if (status === undefined) return undefined;
    const name = (ConnectionSettingsStatuses[status.status] ?? "").replace("ConnectionSettingsStatuses_", "");
    const hash = Buffer.from(status.lastConnectionSettingsHash).toString("hex");
    return `${name} ${hash} ${status.errorMessage}`.trim();
  };
  return { book, clock, told, saved: () => saved };
}

describe("the status of offered connection settings (AN18)", () => {
  it("outlives the process", async () => {
    const { book, told, saved } = open();
    await book.refuse(offer, failure);
    expect(told()).toBe("FAILED aa why");
    expect(open(saved()).told()).toBe("FAILED aa why");
    expect(open(saved()).book.isSettled(offer)).toBe(true);
  });

  it.each([
    { first: "own telemetry", ended: undefined, story: ["APPLYING aa", "APPLIED aa"] },
    { first: "own telemetry", ended: failure, story: ["APPLYING aa", "FAILED aa why"] },
    { first: "the connection", ended: undefined, story: ["APPLYING aa", "APPLIED aa"] },
    { first: "the connection", ended: failure, story: ["APPLYING aa", "FAILED aa why"] },
  ])("is of the whole offer, where $first is decided first ($story.1)", async ({ first, ended, story }) => {
    const { book, told, saved } = open();
    book.offered(offer);
    book.telemetryOffered("aa");
    book.applying(offer);
    const keep = async () => {
      await book.keep({ endpoint: "ws://k/" }, offer, "b");
      book.reportKept();
    };
    const settle = () => book.telemetrySettled("aa", ended);
    await (first === "the connection" ? keep() : settle());
    const between = told();
    await (first === "the connection" ? settle() : keep());
    expect([between, told()]).toEqual(story);
    expect(saved().kept?.overrides).toEqual({ endpoint: "ws://k/" });
  });

  it("stays FAILED when only own telemetry of the offer works", async () => {
    const { book, told } = open();
    book.offered(offer);
    book.telemetryOffered("aa");
    await book.refuse(offer, failure);
    await book.telemetrySettled("aa", undefined);
    expect(told()).toBe("FAILED aa why");
  });

  it("is of own telemetry alone where nothing else is offered, and not of an older one", async () => {
    const { book, told } = open();
    book.telemetryOffered("bb");
    expect(told()).toBe("APPLYING bb");
    book.telemetryOffered("cc");
    await book.telemetrySettled("bb", undefined);
    expect(told()).toBe("APPLYING cc");
    await book.telemetrySettled("cc", failure);
    expect(told()).toBe("FAILED cc why");
    // Offered again, it is no news until something has become of it.
    book.telemetryOffered("cc");
    expect(told()).toBe("FAILED cc why");
  });
});
