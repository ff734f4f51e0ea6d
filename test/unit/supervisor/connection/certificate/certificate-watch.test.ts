import { rootCertificates } from "node:tls";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { ClientTls } from "../../../../../src/opamp/agent/settings.ts";
import { CertificateWatch } from "../../../../../src/supervisor/connection/certificate/certificate-watch.ts";
import type { Overrides } from "../../../../../src/supervisor/connection/connection-record.ts";
import { ManualClock } from "../../../../support/manual-clock.ts";
import { TestAuthority } from "../../../../support/test-authority.ts";

const day = 24 * 3_600_000;
const start = Date.parse("2026-01-01T00:00:00Z");
let authority: TestAuthority;
beforeAll(async () => {
  authority = await TestAuthority.create();
});

const issue = (days: number, from = start) =>
  authority.issue({ notBefore: new Date(from), notAfter: new Date(from + days * day) });

function watched(tls: ClientTls, kept?: Overrides["certificate"], now = start) {
  const clock = new ManualClock(now);
  const heard: string[] = [];
  const watch: CertificateWatch = new CertificateWatch({
    clock,
    read: () => ({ tls, kept }),
    changed: () => heard.push(watch.concerns.join("; ")),
  });
  onTestFinished(() => watch.stop());
  watch.review();
  const uses = () => watch.certificates.map(({ use, validUntil }) => [use, (validUntil - start) / day]);
  return { clock, watch, heard, uses };
}

describe("the certificates of the connection", () => {
  it("are known with their ends, and said of in time although nothing happens", async () => {
    const { cert } = await issue(365);
    const { clock, watch, heard, uses } = watched({ cert });
    expect(uses()).toEqual([["client", 365]]);
    clock.advance(350 * day);
    expect(heard).toEqual([]);
    clock.advance(1.1 * day);
    expect(heard).toEqual(["the client certificate expires at 2027-01-01T00:00:00.000Z"]);
    clock.advance(14 * day);
    expect(watch.concerns).toEqual(["the client certificate expired at 2027-01-01T00:00:00.000Z"]);
    expect(heard).toHaveLength(2);
  });

  it("that this host renews itself are worth a word only when that is late", async () => {
    const { cert, key } = await issue(90);
    const { clock, heard, uses } = watched({ cert }, { cert, key, own: true });
    expect(uses()).toEqual([
      ["client", 90],
      ["kept", 90],
    ]);
    clock.advance(86 * day);
    expect(heard).toEqual([]);
    clock.advance(day);
    expect(heard).toHaveLength(1);
  });

  it("of connections that the server gave the Collector are named by the offer", async () => {
    const { cert } = await issue(60);
    const clock = new ManualClock(start);
    const watch = new CertificateWatch({
      clock,
      read: () => ({ tls: undefined, kept: undefined }),
      readCollector: () => new Map([["other_connections.backend", cert]]),
      changed: () => undefined,
    });
    onTestFinished(() => watch.stop());
    watch.review();
    expect(watch.certificates).toMatchObject([{ use: "other_connections.backend" }]);
    clock.advance(61 * day);
    expect(watch.concerns).toEqual([
      "the certificate of other_connections.backend expired at 2026-03-02T00:00:00.000Z",
    ]);
  });

  it("of several authorities the next to end counts, without the system's and one that ended", async () => {
    const [ended, next, last] = await Promise.all([issue(1, start - 2 * day), issue(100), issue(200)]);
    const bundle = `${ended.cert}\n${last.cert}\n${next.cert}`;
    expect(watched({ ca: [bundle, ...rootCertificates] }).uses()).toEqual([["authority", 100]]);
    expect(watched({ ca: ended.cert }).watch.concerns).toEqual([
      "the authority of the server's certificate expired at 2025-12-31T00:00:00.000Z",
    ]);
  });

  it("are not said to be invalid for ever where the clock was wrong", async () => {
    const { cert } = await issue(365);
    const { clock, watch, heard } = watched({ cert }, undefined, 0);
    expect(watch.concerns).toEqual([
      "the client certificate is not valid before 2026-01-01T00:00:00.000Z, and the clock of this host says 1970-01-01T00:00:00.000Z",
    ]);
    clock.jump(start + day);
    clock.advance(3_600_000);
    expect(watch.concerns).toEqual([]);
    expect(heard).toEqual([expect.stringContaining("not valid before"), ""]);
  });

  it("that cannot be read are left to whoever uses them", () => {
    expect(watched({ cert: "nonsense", ca: "nonsense" }).uses()).toEqual([]);
  });
});
