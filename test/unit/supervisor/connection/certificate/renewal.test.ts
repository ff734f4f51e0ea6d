import { beforeAll, describe, expect, it } from "vitest";
import { type LogFields, type Logger, silentLogger } from "../../../../../src/foundation/logger.ts";
import { namesAgent, renewalTime } from "../../../../../src/supervisor/connection/certificate/issued.ts";
import { CertificateRenewal } from "../../../../../src/supervisor/connection/certificate/renewal.ts";
import type { CertificateRequestRecord } from "../../../../../src/supervisor/connection/connection-record.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";
import { TestAuthority } from "../../../../support/test-authority.ts";
import { until } from "../connections-fixture.ts";

const day = 24 * 3_600_000;
const uid = "018fee23-4a51-7303-a441-73faed7d9deb";
const start = Date.parse("2026-01-01T00:00:00Z");

let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.create();
});

/** A host without a certificate of its own, whose server is connected and may issue them. */
function host({
  keyType = "ec-p256",
  random = 0,
}: {
  keyType?: "ec-p256" | "rsa-2048";
  random?: number;
} = {}) {
  const clock = new ManualClock(start);
  const sent: string[] = [];
  const events: string[] = [];
  const note = ({ event }: LogFields) => void events.push(event);
  const logger: Logger = { ...silentLogger, info: note, error: note };
  const world = {
    uid,
    answer: "queued" as "queued" | "unsupported",
    diskFull: false,
    certificate: undefined as { cert: string; key: string; own: boolean } | undefined,
    saved: null as CertificateRequestRecord | null,
  };
  const renewal = new CertificateRenewal({
    settings: { request: true, keyType, renewBeforeMs: 7 * day, identity: "instance_uid" },
    clock,
    logger,
    random: () => random,
    instanceUid: () => world.uid,
    certificate: () => world.certificate,
    request: undefined,
    saveRequest: async (request) => {
      if (world.diskFull) throw new Error("ENOSPC");
      world.saved = request;
    },
    send: (csr) => {
      if (world.answer === "queued") sent.push(csr);
      return world.answer;
    },
  });
  /** The server signs the last request, and the certificate is kept. */
  const issue = async (notAfter: Date, notBefore = new Date(clock.now())) => {
    const cert = await authority.sign(sent.at(-1) ?? "", { notBefore, notAfter });
    world.certificate = { cert, key: renewal.request?.key ?? "", own: true };
    renewal.kept();
  };
  return { clock, sent, events, world, renewal, issue };
}

describe("a certificate of a host's own", () => {
  it.each([
    [90, 83],
    [21, 14],
    [9, 6],
    [3, 2],
  ])("AN21 that lives %i days is renewed after %i", async (lifetime, after) => {
    const { cert } = await authority.issue({
      notBefore: new Date(start),
      notAfter: new Date(start + lifetime * day),
    });
    expect(renewalTime(cert, 7 * day, 0)).toBe(start + after * day);
    const latest = renewalTime(cert, 7 * day, 0.999);
    expect(latest).toBeGreaterThan(start + after * day);
    expect(latest).toBeLessThan(start + after * day + (lifetime - after) * day * 0.1 + 1);
  });

  it("AN19 is asked for once, with the same key again when no answer comes, and renewed in time with another", async () => {
    const { clock, sent, world, renewal, issue } = host();
    renewal.review();
    await until(() => sent.length === 1);
    renewal.review();
    clock.advance(59_000);
    expect(sent).toHaveLength(1);
    clock.advance(1_000);
    await until(() => sent.length === 2);
    expect(sent[1]).toBe(sent[0]);
    const firstKey = world.saved?.key;
    await issue(new Date(clock.now() + 30 * day));
    expect(world.saved).toBeNull();
    clock.advance(22 * day);
    expect(sent).toHaveLength(2);
    clock.advance(2 * day);
    await until(() => sent.length === 3);
    expect(world.saved?.key).not.toBe(firstKey);
  });

  it("AI8 is asked for anew when the server gives the agent another uid", async () => {
    const { clock, sent, world, renewal, issue } = host();
    renewal.review();
    await until(() => sent.length === 1);
    await issue(new Date(clock.now() + 30 * day));
    world.uid = uid.replace("018", "019");
    renewal.instanceUidChanged();
    await until(() => sent.length === 2);
    const cert = await authority.sign(sent[1] ?? "");
    expect(namesAgent(cert, world.uid)).toBe(true);
    expect(renewal.check(cert)).toBeUndefined();
    expect(renewal.check(world.certificate?.cert ?? "")).toContain("another agent");
  });

  it("is not asked for in a circle when it is due again as soon as it is issued", async () => {
    const { clock, sent, renewal, issue } = host();
    renewal.review();
    await until(() => sent.length === 1);
    await issue(new Date(clock.now() + 3_600_000), new Date(clock.now() - 300 * day));
    expect(sent).toHaveLength(1);
    expect(clock.pending).toEqual([360_000]);
    clock.advance(360_000);
    await until(() => sent.length === 2);
  });

  it("AN5 is not asked for with a key that a restart would lose", async () => {
    const { clock, sent, events, world, renewal } = host();
    world.diskFull = true;
    renewal.review();
    await until(() => events.includes("certificate_request_failed"));
    expect(sent).toEqual([]);
    world.diskFull = false;
    clock.advance(60_000);
    await until(() => sent.length === 1);
  });

  it("AN20 is asked for as soon as a server is connected that issues any", async () => {
    const { sent, world, renewal } = host();
    world.answer = "unsupported";
    renewal.review();
    await until(() => world.saved !== null);
    world.answer = "queued";
    await new Promise((resolve) => setImmediate(resolve));
    renewal.review();
    await until(() => sent.length === 1);
    expect(sent).toEqual([world.saved?.csr]);
  });
});
