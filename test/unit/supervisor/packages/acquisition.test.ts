import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { acquire } from "../../../../src/supervisor/packages/acquisition.ts";
import type { OfferedPackage, PackagesOffer } from "../../../../src/supervisor/packages/offer.ts";
import { offerOf, openStore } from "../../../support/package-store-rig.ts";
import { tempDir } from "../../../support/temp-dir.ts";

const program = Buffer.from("#!/bin/sh\necho collector\n");
const rules = Buffer.from("rows");

/** A real store, and downloads that write what is told. */
async function host({ mustBeSigned = false, refusal }: { mustBeSigned?: boolean; refusal?: string } = {}) {
  const directory = tempDir();
  const store = await openStore(directory);
  const events: string[] = [];
  const run = (
    packages: OfferedPackage[],
    { content = program, signed = mustBeSigned, problems = [] as PackagesOffer["problems"] } = {},
  ) =>
    acquire(
      { allHash: "00", packages, problems },
      {
        store,
        signal: new AbortController().signal,
        mustBeSigned: signed,
        onProgress: (name, { t }) => events.push(`${name} ${t}`),
        async download({ path }) {
          events.push("download");
          mkdirSync(dirname(path), { recursive: true });
          writeFileSync(path, content);
          return { t: "done", bytes: content.length };
        },
        refuse: async () => refusal,
      },
    );
  return { store, events, run };
}

describe("acquiring an offer of packages", () => {
  it("downloads, unpacks and makes a set of it; the same offer again fetches nothing (AP3)", async () => {
    const { run, events } = await host();
    const offered = offerOf("otelcol", program);
    const first = await run([offered]);
    expect(first).toMatchObject({ t: "ready", set: { packages: [{ name: "otelcol", signed: false }] } });
    expect(events).toEqual(["download", "otelcol installing"]);
    expect(await run([offered])).toEqual(first);
    expect(events).toHaveLength(2);
  });

  it("of nothing is no set", async () => {
    const { run } = await host();
    expect(await run([])).toEqual({ t: "ready", set: undefined });
  });

  it("AP7: unpacks nothing that is refused", async () => {
    const { run, store } = await host({ mustBeSigned: true, refusal: "it is not signed" });
    const offered = offerOf("otelcol", program);
    expect(await run([offered])).toEqual({
      t: "failed",
      name: "otelcol",
      fault: "own",
      reason: "it is not signed",
    });
    expect(await store.find(offered)).toBeUndefined();
  });

  it("AP7: does not take what came before trust keys were set, until a key has signed it", async () => {
    const { run, events } = await host();
    const offered = offerOf("otelcol", program);
    await run([offered]);
    expect(await run([offered], { signed: true })).toMatchObject({
      t: "ready",
      set: { packages: [{ signed: true }] },
    });
    expect(events.filter((event) => event === "download")).toHaveLength(2);
    await run([offered], { signed: true });
    expect(events.filter((event) => event === "download")).toHaveLength(2);
  });

  it("takes all or none: one that cannot be is told before any is fetched", async () => {
    const { run, events } = await host();
    const problems = [{ name: "rules", reason: "it has no file to download" }];
    expect(await run([offerOf("otelcol", program)], { problems })).toEqual({
      t: "failed",
      name: "rules",
      fault: "own",
      reason: "it has no file to download",
    });
    expect(events).toEqual([]);
  });

  it("tells a bad package from a host that cannot take it", async () => {
    const { run } = await host();
    const data = offerOf("otelcol", rules);
    expect(await run([data], { content: rules })).toMatchObject({
      t: "failed",
      name: "otelcol",
      fault: "own",
    });
  });
});
