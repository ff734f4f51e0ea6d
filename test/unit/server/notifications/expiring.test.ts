import { describe, expect, it } from "vitest";
import { credentialsOf } from "../../../../src/server/notifications/credentials.ts";
import { type Credential, Expiring } from "../../../../src/server/notifications/expiring.ts";

const day = 86_400_000;
const credential = (lifetimeMs?: number): Credential => ({
  id: "key 1",
  name: "the API key ci",
  endsAt: 100 * day,
  ...(lifetimeMs !== undefined && { lifetimeMs }),
});

/** What is told while an hour follows the other, by the day. */
function toldOf(each: Credential): [number, string][] {
  const expiring = new Expiring();
  const told: [number, string][] = [];
  for (let now = 0; now < 102 * day; now += day / 24) {
    for (const { title, severity } of expiring.look([each], now))
      told.push([now / day, `${severity}: ${title}`]);
  }
  return told;
}

describe("what ends soon", () => {
  it("is told of 30, 7 and 1 days before, once each, and never after its end", () => {
    expect(toldOf(credential())).toEqual([
      [70, "warning: The API key ci ends in 30 days"],
      [93, "warning: The API key ci ends in 7 days"],
      [99, "critical: The API key ci ends in less than a day"],
    ]);
  });

  it("is told of only in the second half of its life", () => {
    expect(toldOf(credential(20 * day)).map(([at]) => at)).toEqual([93, 99]);
    expect(toldOf(credential(day))).toEqual([]);
  });

  it("is told of anew when it was renewed and ends again", () => {
    const expiring = new Expiring();
    const renewed = { ...credential(), endsAt: 200 * day };
    expect(expiring.look([credential()], 99.5 * day)).toHaveLength(1);
    expect(expiring.look([renewed], 99.6 * day)).toEqual([]);
    expect(expiring.look([renewed], 199.5 * day)).toHaveLength(1);
  });

  it("is neither a key that was revoked nor an enrolment token", async () => {
    const key = {
      role: "viewer",
      created_by: "ann",
      created_at: 0,
      expires_at: 9,
      revoked_at: null,
      uses_left: null,
    } as const;
    const found = await credentialsOf({
      keys: {
        list: async () => [
          { ...key, id: "1", name: "ci" },
          { ...key, id: "2", name: "gone", revoked_at: 5 },
          { ...key, id: "3", name: "token", uses_left: 1 },
        ],
      },
      certificateExpiries: () => [{ listener: "opamp", at: 7 }],
    });
    expect(found).toEqual([
      { id: "key 1", name: "the API key ci", endsAt: 9, lifetimeMs: 9 },
      { id: "certificate opamp", name: "the certificate of the listener opamp", endsAt: 7 },
    ]);
  });
});
