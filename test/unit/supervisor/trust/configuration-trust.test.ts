import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../../src/foundation/logger.ts";
import type { AgentRemoteConfig } from "../../../../src/opamp/messages.ts";
import { signatureContentType } from "../../../../src/opamp/trust-entries.ts";
import { ConfigurationTrust } from "../../../../src/supervisor/trust/configuration-trust.ts";
import {
  noTrustRecord,
  type TrustRecord,
  trustRecordSchema,
} from "../../../../src/supervisor/trust/trust-record.ts";
import { remoteConfig } from "../../../support/recording-opamp-server.ts";
import { Signer, toOffer, withEntry } from "../../../support/signed-configuration.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const agent = { id: "0198c8b1-0000-7000-8000-000000000000", labels: { env: "prod", "host.name": "a" } };
const now = 1_800_000_000;
const plain = remoteConfig({ "": "receivers: {}\n", more: "exporters: {}\n" });

class Host {
  readonly dir = tempDir();
  clock = now;
  record: TrustRecord = noTrustRecord;
  keys: string[] = [];
  mayWait = false;

  trusting(...signers: Signer[]): this {
    this.keys = signers.map((signer, index) => signer.writeKey(join(this.dir, `${index}.pub`)));
    return this;
  }

  get value(): TrustRecord {
    return this.record;
  }

  async save(record: TrustRecord): Promise<void> {
    // As it comes back from disk.
    this.record = trustRecordSchema.parse(JSON.parse(JSON.stringify(record)));
  }

  open(kept?: AgentRemoteConfig): Promise<ConfigurationTrust> {
    return ConfigurationTrust.open(
      { configKeys: this.keys, clockSkewMs: 300_000 },
      {
        clock: { now: () => this.clock * 1_000, monotonic: () => 0, setTimer: () => ({ cancel() {} }) },
        logger: silentLogger,
        file: this,
        kept,
        mayWait: this.mayWait,
      },
    );
  }
}

const told = async (trust: ConfigurationTrust, offer: AgentRemoteConfig) => {
  const problem = await trust.check(offer, agent);
  return problem && { problem: problem.problem, passing: problem.passing };
};
const final = (problem: string) => ({ problem, passing: false });
const passing = (problem: string) => ({ problem, passing: true });

let signer: Signer;
let host: Host;
beforeEach(() => {
  signer = new Signer();
  host = new Host().trusting(signer);
});
const at = (claims: object = {}) => ({ iat: now, exp: now + 3_600, ...claims });

describe("a host with agent.trust.config_keys", () => {
  it.each(["ed25519", "ec", "rsa"] as const)("takes what a trusted key of %s has signed", async (kind) => {
    const other = new Signer(kind);
    const trust = await host.trusting(signer, other).open();
    expect(await told(trust, await other.sign(plain, at()))).toBeUndefined();
  });

  it("refuses what is not signed, or by a key that it does not know, or twice", async () => {
    const trust = await host.open();
    expect(await told(trust, plain)).toEqual(final("unsigned"));
    expect(await told(trust, toOffer({}))).toEqual(final("unsigned"));
    expect(await told(trust, await new Signer().sign(plain, at()))).toEqual(final("unknown key"));
    const signed = await signer.sign(plain, at());
    const again = withEntry(signed, "more signature", signed.config!.configMap.signature!);
    expect(await told(trust, again)).toEqual(final("altered"));
  });

  it("takes the signed order to stop, and no other", async () => {
    const trust = await host.open();
    const nothing = toOffer({});
    expect(await told(trust, await signer.sign(nothing, at()))).toBeUndefined();
    const { signature } = (await signer.sign(plain, at())).config!.configMap;
    expect(await told(trust, toOffer({ signature: signature! }))).toEqual(final("altered"));
  });

  it("refuses a signature of the other kind", async () => {
    const trust = await host.open();
    const rotated = await signer.rotate(plain, [new Signer()], { serial: 1 });
    const { body } = rotated.config!.configMap.rotation!;
    const offer = withEntry(plain, "signature", { body, contentType: signatureContentType });
    expect(await told(trust, offer)).toEqual(final("altered"));
  });

  it.each([
    ["fleet", undefined],
    [`urn:uuid:${agent.id}`, undefined],
    [`urn:uuid:${agent.id.toUpperCase()}`, undefined],
    ["selector:env=prod,host.name in (a,b)", undefined],
    ["selector:env=dev", "wrong audience"],
    ["selector:!capability:AcceptsRestartCommand", "wrong audience"],
    ["selector:", "wrong audience"],
    ["selector:((", "wrong audience"],
    ["urn:uuid:0198c8b1-0000-7000-8000-000000000001", "wrong audience"],
    ["everyone", "wrong audience"],
  ])("is, or is not, the audience %s", async (audience, problem) => {
    const trust = await host.open();
    const offer = await signer.sign(plain, at({ aud: [audience] }));
    expect(await told(trust, offer)).toEqual(problem && final(problem));
  });

  it("refuses any single bit that is other than it was signed", async () => {
    const trust = await host.open();
    const rotated = await signer.rotate(plain, [signer], { serial: 1 });
    const signed = await signer.sign(rotated, at());
    expect(await told(trust, signed)).toBeUndefined();
    const entries = Object.entries(signed.config!.configMap).map(([name, { body, contentType }]) => ({
      name,
      contentType,
      body,
    }));
    const flipped = (bytes: Uint8Array, bit: number) => {
      const copy = new Uint8Array(bytes);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      return copy;
    };
    const flippedText = (text: string, bit: number) =>
      Buffer.from(flipped(Buffer.from(text), bit)).toString("latin1");
    const bits = entries.flatMap(({ name, contentType, body }, index) => [
      // Nobody reads the name of the signature itself.
      ...(contentType === signatureContentType ? [] : range(name.length, { index, part: "name" as const })),
      ...range(contentType.length, { index, part: "contentType" as const }),
      ...range(body.length, { index, part: "body" as const }),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...bits), async ({ index, part, bit }) => {
        const changed = entries.map((entry, each) => {
          if (each !== index) return entry;
          return {
            ...entry,
            [part]: part === "body" ? flipped(entry.body, bit) : flippedText(entry[part], bit),
          };
        });
        const offer = toOffer(Object.fromEntries(changed.map(({ name, ...entry }) => [name, entry])));
        expect(await told(trust, offer)).toMatchObject({ passing: false });
      }),
      { numRuns: 1_500 },
    );
  });

  it("refuses what a decoder of base64url would not see", async () => {
    const trust = await host.open();
    const signed = await signer.sign(plain, at());
    const { body, contentType } = signed.config!.configMap.signature!;
    const text = Buffer.from(body).toString();
    const last = text.at(-2) ?? "";
    const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    // An Ed25519 signature ends in four bits that say nothing.
    const same = digits[digits.indexOf(last) ^ 1] ?? "";
    const decode = (end: string) => Buffer.from(text.slice(2, -2).split(".")[2] + end, "base64url");
    expect(decode(same)).toEqual(decode(last));
    const offer = withEntry(signed, "signature", { body: `${text.slice(0, -2)}${same}\n`, contentType });
    expect(await told(trust, offer)).toEqual(final("altered"));
  });

  it("refuses any claim that is other than it was signed", async () => {
    const trust = await host.open();
    const signed = await signer.sign(plain, at());
    const text = Buffer.from(signed.config!.configMap.signature!.body).toString();
    const [header = "", payload = "", signature = ""] = text.slice(2, -1).split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString()) as Record<string, unknown>;
    for (const [name, value] of Object.entries({ ...claims, nbf: 0 })) {
      const other =
        typeof value === "number"
          ? value + 1
          : Array.isArray(value)
            ? ["fleet", "fleet"]
            : `${String(value)}A`;
      const changed = Buffer.from(JSON.stringify({ ...claims, [name]: other })).toString("base64url");
      const body = `# ${header}.${changed}.${signature}\n`;
      const offer = withEntry(signed, "signature", { body, contentType: signatureContentType });
      expect({ [name]: await told(trust, offer) }).toEqual({ [name]: final("altered") });
    }
  });
});

const range = <T extends object>(bytes: number, rest: T) =>
  Array.from({ length: bytes * 8 }, (_, bit) => ({ ...rest, bit }));

describe("the serial", () => {
  it("does not go back once a configuration was kept, and offering alone changes nothing", async () => {
    const trust = await host.open();
    const [one, two] = [
      await signer.sign(plain, at({ serial: 1 })),
      await signer.sign(toOffer({}), at({ serial: 2 })),
    ];
    expect(await told(trust, two)).toBeUndefined();
    expect(host.record).toEqual(noTrustRecord);
    expect(await told(trust, one)).toBeUndefined();
    await trust.kept(two);
    expect(host.record).toMatchObject({ serial: 2, issued_at: now });
    expect(await told(trust, one)).toEqual(final("replayed"));
    expect(await told(trust, await signer.sign(plain, at({ serial: 2 })))).toEqual(final("replayed"));
    expect(await told(trust, await signer.sign(plain, at({ serial: 3 })))).toBeUndefined();
    const restarted = await host.open();
    expect(await told(restarted, one)).toEqual(final("replayed"));
  });

  it("stays where it is when the host goes back by itself, which needs no new signature", async () => {
    const trust = await host.open();
    const [one, two] = [
      await signer.sign(plain, at({ serial: 1 })),
      await signer.sign(toOffer({}), at({ serial: 2 })),
    ];
    await trust.kept(one);
    await trust.kept(two);
    await trust.kept(one);
    expect(host.record.serial).toBe(2);
    expect(await told(trust, one)).toBeUndefined();
    expect(await told(trust, two)).toBeUndefined();
    expect(await told(await host.open(one), one)).toBeUndefined();
  });

  it("is found again in what was kept, when the record is lost", async () => {
    const trust = await host.open();
    const [one, two] = [
      await signer.sign(plain, at({ serial: 1 })),
      await signer.sign(toOffer({}), at({ serial: 2 })),
    ];
    await trust.kept(two);
    host.record = noTrustRecord;
    const restarted = await host.open(two);
    expect(await told(restarted, one)).toEqual(final("replayed"));
  });
});

describe("time", () => {
  it("is the clock's, give or take the skew; what the clock decides may pass", async () => {
    const trust = await host.open();
    const offer = await signer.sign(plain, at());
    for (const [clock, verdict] of [
      [now - 301, passing("not yet valid")],
      [now - 300, undefined],
      [now + 3_600 + 299, undefined],
      [now + 3_600 + 300, passing("expired")],
    ] as const) {
      host.clock = clock;
      expect({ clock, told: await told(trust, offer) }).toEqual({ clock, told: verdict });
    }
    host.clock = now;
    expect(await told(trust, await signer.sign(plain, at({ nbf: now + 301 })))).toEqual(
      passing("not yet valid"),
    );
  });

  it("is never before the newest issue time that was kept, whatever the clock says", async () => {
    const trust = await host.open();
    await trust.kept(await signer.sign(plain, at({ iat: now + 10_000, exp: now + 20_000 })));
    const old = await signer.sign(toOffer({}), at({ exp: now + 5_000 }));
    expect(await told(trust, old)).toEqual(final("expired"));
    host.clock = 12;
    expect(await told(trust, old)).toEqual(final("expired"));
  });

  it("is not known to a host whose clock was never set: it takes what is newer, by the serial alone", async () => {
    host.clock = 12;
    const trust = await host.open();
    const one = await signer.sign(plain, at({ serial: 1 }));
    expect(await told(trust, one)).toBeUndefined();
    await trust.kept(one);
    const two = await signer.sign(toOffer({}), at({ serial: 2, iat: now + 9_000_000, exp: now + 9_000_100 }));
    expect(await told(trust, two)).toBeUndefined();
    await trust.kept(two);
    expect(await told(trust, one)).toEqual(final("replayed"));
    expect(await told(trust, await signer.sign(plain, at({ serial: 3 })))).toEqual(final("expired"));
  });

  it("says nothing against what runs already", async () => {
    const kept = await signer.sign(plain, at());
    host.clock = now + 1_000_000;
    expect(await told(await host.open(kept), kept)).toBeUndefined();
    expect(await told(await host.open(plain), plain)).toBeUndefined();
  });
});

describe("a rotation", () => {
  it("gives other keys as soon as its configuration is kept, and not before", async () => {
    const [next, third] = [new Signer("ec"), new Signer("rsa")];
    const trust = await host.open();
    const moved = await next.sign(
      await signer.rotate(plain, [next, third], { serial: 1 }),
      at({ serial: 1 }),
    );
    expect(await told(trust, moved)).toBeUndefined();
    expect(await told(trust, await next.sign(plain, at({ serial: 2 })))).toEqual(final("unknown key"));
    await trust.kept(moved);
    for (const each of [next, third])
      expect(await told(await host.open(), await each.sign(plain, at({ serial: 2 })))).toBeUndefined();
    expect(await told(trust, await signer.sign(plain, at({ serial: 3 })))).toEqual(final("unknown key"));
  });

  it("may be the second that a host was away for, and is signed by the old key or the new one", async () => {
    const [second, third] = [new Signer(), new Signer()];
    const trust = await host.open();
    let offer = await second.rotate(plain, [third], { serial: 2, name: "a" });
    expect(await told(trust, await third.sign(offer, at()))).toEqual(final("unknown key"));
    offer = await signer.rotate(offer, [second], { serial: 1, name: "b" });
    for (const by of [signer, second, third])
      expect(await told(trust, await by.sign(offer, at({ serial: 1 })))).toBeUndefined();
    await trust.kept(await third.sign(offer, at({ serial: 1 })));
    expect(host.record.rotation).toBe(2);
    // It is carried on, for hosts that have not made it.
    expect(await told(trust, await third.sign(offer, at({ serial: 2 })))).toBeUndefined();
    expect(await told(trust, await second.sign(offer, at({ serial: 2 })))).toEqual(final("unknown key"));
  });

  it("does not come back when it was overruled", async () => {
    const [second, third] = [new Signer(), new Signer()];
    const trust = await host.open();
    const rotated = await signer.rotate(plain, [second], { serial: 1 });
    await trust.kept(await signer.sign(rotated, at({ serial: 1 })));
    const overruled = await second.rotate(plain, [third], { serial: 2 });
    await trust.kept(await second.sign(overruled, at({ serial: 2 })));
    expect(await told(trust, await second.sign(rotated, at({ serial: 3 })))).toEqual(final("unknown key"));
  });

  it("gives way to other keys in supervisor.yaml; nothing that was issued before comes back", async () => {
    const [second, third] = [new Signer(), new Signer()];
    const trust = await host.open();
    const rotated = await signer.rotate(plain, [second], { serial: 1 });
    await trust.kept(await signer.sign(rotated, at({ serial: 1_000_000 })));
    const changed = await host.trusting(third, signer).open();
    expect(await told(changed, await second.sign(plain, at({ iat: now + 1, serial: 2 })))).toEqual(
      final("unknown key"),
    );
    expect(await told(changed, await signer.sign(plain, at({ serial: 1_000_001 })))).toEqual(
      final("replayed"),
    );
    // It was issued before, and would undo what the administrator has done.
    const again = await signer.rotate(plain, [second], { serial: 2, iat: now });
    const offer = await third.sign(again, at({ iat: now + 1, serial: 1 }));
    expect(await told(changed, offer)).toBeUndefined();
    await changed.kept(offer);
    expect(host.record).toMatchObject({ serial: 1, keys: null, rotation: 0 });
  });

  it.each(["A", "-", "{", ""])("is altered with %j in the place of a letter", async (letter) => {
    const trust = await host.open();
    const offer = await signer.rotate(plain, [new Signer()], { serial: 1 });
    const { body, contentType } = offer.config!.configMap.rotation!;
    const text = Buffer.from(body).toString();
    const changed = `${text.slice(0, -20)}${text.at(-20) === letter ? "B" : letter}${text.slice(-19)}`;
    const altered = withEntry(plain, "rotation", { body: changed, contentType });
    expect(await told(trust, await signer.sign(altered, at()))).toEqual(final("altered"));
  });
});

describe("keys that cannot be read", () => {
  it("keep a new host from starting, and one that runs something from taking anything else", async () => {
    host.keys = [join(host.dir, "none.pub")];
    await expect(host.open()).rejects.toThrow("agent.trust.config_keys: ");
    host.mayWait = true;
    const trust = await host.open();
    const offer = await signer.sign(plain, at());
    expect(await told(trust, offer)).toEqual(passing("keys unreadable"));
    expect(await trust.concerns()).toEqual([
      expect.stringMatching(/^no remote configuration is trusted: agent\.trust\.config_keys: .*none\.pub/),
    ]);
    writeFileSync(host.keys[0]!, signer.pem);
    expect(await trust.concerns()).toEqual([]);
    expect(await told(trust, offer)).toBeUndefined();
  });
});
