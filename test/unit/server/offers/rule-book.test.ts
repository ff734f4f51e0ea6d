import { describe, expect, it } from "vitest";
import { everyAgent, parseSelector, type Selector } from "../../../../src/opamp/selector.ts";
import type { Reach } from "../../../../src/server/offers/rule.ts";
import { RuleBook } from "../../../../src/server/offers/rule-book.ts";
import { releaseRules } from "../../../../src/server/offers/rule-rows.ts";
import { createPackageSet } from "../../../../src/server/packages/package-set.ts";
import type { Database } from "../../../../src/server/storage/database.ts";
import { testDatabase } from "../../../support/database.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { yaml } from "../test-server.ts";

const prod = { id: "1", labels: { env: "prod" } };
const dev = { id: "2", labels: { env: "dev" } };
const nobody: Reach = { includes: () => false };

const open = (database: Database, reach = nobody) =>
  RuleBook.open({ database, clock: new ManualClock(), reach, onWritten: () => undefined });

const configuration = (selector: Selector, text: string) =>
  ({ kind: "configuration", selector, desired: yaml(text) }) as const;

describe("RuleBook", () => {
  it("has nothing for an Agent nobody pushed to", async () => {
    const book = await open(await testDatabase());
    await book.issue([configuration(parseSelector("env=prod"), "a: 1")]);
    expect(book.newestFor("configuration", dev)).toBeUndefined();
    expect(book.newestFor("packages", prod)).toBeUndefined();
  });

  it("lets the newest matching rule win", async () => {
    const book = await open(await testDatabase());
    await book.issue([configuration(everyAgent, "a: 1")]);
    await book.issue([configuration(parseSelector("env=prod"), "a: 2")]);
    expect(book.newestFor("configuration", prod)?.desired.hashHex).toBe(yaml("a: 2").hashHex);
    expect(book.newestFor("configuration", dev)?.desired.hashHex).toBe(yaml("a: 1").hashHex);
  });

  it("tells a rule from an earlier one of the same content", async () => {
    const book = await open(await testDatabase());
    const [first] = await book.issue([configuration(everyAgent, "a: 1")]);
    const [second] = await book.issue([configuration(everyAgent, "a: 1")]);
    expect(second).toBeGreaterThan(first!);
    expect(book.newestFor("configuration", dev)?.number).toBe(second);
  });

  it("knows all of it again after a restart", async () => {
    const database = await testDatabase();
    const set = createPackageSet([
      {
        name: "collector",
        type: "top-level",
        version: "1.0",
        fileName: "collector",
        path: "/packages/collector",
        identity: "1",
        size: 5,
        modified: new Date(1000),
        sha256: "ab",
        signature: Uint8Array.from([1, 2, 3]),
      },
    ]);
    const before = await open(database);
    await before.issue([
      { ...configuration(everyAgent, "a: 1"), bundle: "both" },
      { kind: "packages", selector: everyAgent, desired: set, bundle: "both" },
    ]);
    const after = await open(database);
    const rule = after.newestFor("configuration", dev);
    expect(rule).toMatchObject({ number: 1, bundle: "both", desired: { hashHex: yaml("a: 1").hashHex } });
    expect(rule?.desired.map.configMap[""]?.body).toEqual(new Uint8Array(Buffer.from("a: 1")));
    expect(after.newestFor("packages", dev)).toMatchObject({ bundle: "both", desired: set });
    const [next] = await after.issue([configuration(everyAgent, "a: 2")]);
    expect(next).toBe(3);
  });

  it("lets Agents fall to the rule below when one is withdrawn", async () => {
    const database = await testDatabase();
    const book = await open(database);
    await book.issue([configuration(everyAgent, "a: 1")]);
    const newest = await book.issue([configuration(everyAgent, "a: 2")]);
    await book.withdraw(newest);
    expect(book.newestFor("configuration", dev)?.desired.hashHex).toBe(yaml("a: 1").hashHex);
    expect((await open(database)).newestFor("configuration", dev)?.number).toBe(1);
  });

  it("applies the rule of a rollout to those it has reached, and once it is done to all", async () => {
    const database = await testDatabase();
    const book = await open(database, { includes: (rollout, { id }) => rollout === "r" && id === prod.id });
    await book.issue([configuration(everyAgent, "a: 1")]);
    await book.issue([{ ...configuration(everyAgent, "a: 2"), rolloutId: "r" }]);
    expect(book.newestFor("configuration", prod)?.number).toBe(2);
    expect(book.newestFor("configuration", dev)?.number).toBe(1);
    await database.transaction((transaction) => releaseRules(transaction, "r", 0));
    expect(await book.refresh()).toEqual(new Set(["configuration"]));
    expect(book.newestFor("configuration", dev)?.number).toBe(2);
  });

  it("takes over what another replica wrote, and says what kinds changed", async () => {
    const database = await testDatabase();
    const [here, there] = await Promise.all([open(database), open(database)]);
    await there.issue([configuration(everyAgent, "a: 1")]);
    expect(here.newestFor("configuration", dev)).toBeUndefined();
    expect(await here.refresh()).toEqual(new Set(["configuration"]));
    expect(here.newestFor("configuration", dev)?.number).toBe(1);
    expect(await here.refresh()).toEqual(new Set());
  });

  it("keeps no more rules of one selector than can be gone back over, and leaves others alone", async () => {
    const database = await testDatabase();
    const book = await open(database);
    await book.issue([configuration(parseSelector("env=prod"), "p: 1")]);
    for (let version = 1; version <= 15; version += 1) {
      await book.issue([configuration(parseSelector("env=dev"), `a: ${version}`)]);
    }
    const active = () =>
      database.query.selectFrom("rules").select("number").where("state", "=", "active").execute();
    expect(await active()).toHaveLength(1 + 11);
    expect(book.newestFor("configuration", prod)?.number).toBe(1);
    for (let version = 1; version <= 11; version += 1) {
      await book.issue([configuration(everyAgent, `all: ${version}`)]);
    }
    // What everybody got eleven times hides all that was below.
    expect(await active()).toHaveLength(11);
  });
});
