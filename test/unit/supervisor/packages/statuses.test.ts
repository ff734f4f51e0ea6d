import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { PackageStatusEnum, PackageStatusesSchema } from "../../../../src/opamp/messages.ts";
import {
  noPackages,
  type PackagesView,
  type PackageView,
  savedPackagesView,
  toPackageStatuses,
} from "../../../../src/supervisor/packages/statuses.ts";

const held = { version: "0.148.0", hash: "aa01" };
const offered = { version: "0.149.0", hash: "bb02" };
const [hasHash, offeredHash] = [new Uint8Array([0xaa, 1]), new Uint8Array([0xbb, 2])];
const downloading = { t: "downloading", percent: 42.5, bytesPerSecond: 1000 } as const;

/** As the server reads it. */
const received = (view: PackagesView) =>
  fromBinary(PackageStatusesSchema, toBinary(PackageStatusesSchema, toPackageStatuses(view)));
const statusOf = (one: PackageView) => received({ packages: [one] }).packages[one.name]!;

const states: readonly [PackageView, PackageStatusEnum][] = [
  [{ name: "c", held, offered, state: { t: "installed" } }, PackageStatusEnum.PackageStatusEnum_Installed],
  [{ name: "c", held, offered, state: { t: "pending" } }, PackageStatusEnum.PackageStatusEnum_InstallPending],
  [{ name: "c", held, offered, state: { t: "installing" } }, PackageStatusEnum.PackageStatusEnum_Installing],
  [{ name: "c", held, offered, state: downloading }, PackageStatusEnum.PackageStatusEnum_Downloading],
  [
    { name: "c", held, offered, state: { t: "failed", reason: "no" } },
    PackageStatusEnum.PackageStatusEnum_InstallFailed,
  ],
];

describe("package statuses", () => {
  it("AP10: list every package, also the unnamed one, each under its own name", () => {
    const names = ["", "collector", "addon.one"];
    const { packages } = received({
      packages: names.map((name) => ({ name, held, state: { t: "installed" } })),
    });
    expect(Object.keys(packages).sort()).toEqual(names.toSorted());
    for (const [key, status] of Object.entries(packages)) expect(status.name).toBe(key);
  });

  it("AP11: carry the last hash of all packages, with and without packages", () => {
    expect(received({ allHash: "c0ffee", packages: [] }).serverProvidedAllPackagesHash).toEqual(
      new Uint8Array([0xc0, 0xff, 0xee]),
    );
    expect(received(noPackages).serverProvidedAllPackagesHash).toHaveLength(0);
  });

  it.each(states)("AP12, AP13: %o", (view, status) => {
    expect(statusOf(view)).toMatchObject({
      status,
      agentHasVersion: "0.148.0",
      agentHasHash: hasHash,
      serverOfferedVersion: "0.149.0",
      serverOfferedHash: offeredHash,
      errorMessage: view.state.t === "failed" ? "no" : "",
    });
  });

  it("AP12: say nothing of what is not held, or was not offered", () => {
    const empty = new Uint8Array(0);
    expect(statusOf({ name: "c", offered, state: { t: "pending" } })).toMatchObject({
      agentHasVersion: "",
      agentHasHash: empty,
    });
    expect(statusOf({ name: "c", held, state: { t: "installed" } })).toMatchObject({
      serverOfferedVersion: "",
      serverOfferedHash: empty,
    });
  });

  it("AP13: a failure always has a message", () => {
    const status = statusOf({ name: "c", offered, state: { t: "failed", reason: "" } });
    expect(status.errorMessage).not.toBe("");
  });

  it("AP14, P12: have download details while downloading, and never else", () => {
    const details = states.map(([view]) => statusOf(view).downloadDetails);
    expect(details).toEqual([
      undefined,
      undefined,
      undefined,
      expect.objectContaining({ downloadPercent: 42.5, downloadBytesPerSecond: 1000 }),
      undefined,
    ]);
  });

  it("AP14: have numbers as details whatever was measured", () => {
    const odd = { t: "downloading", percent: 200, bytesPerSecond: Number.NaN } as const;
    expect(statusOf({ name: "c", offered, state: odd }).downloadDetails).toMatchObject({
      downloadPercent: 100,
      downloadBytesPerSecond: 0,
    });
  });

  it("AP15: have an error of their own only where no package is meant", () => {
    expect(received({ packages: states.map(([view]) => view) }).errorMessage).toBe("");
    expect(received({ packages: [], problem: "the offer is empty" }).errorMessage).toBe("the offer is empty");
  });
});

describe("a saved view", () => {
  const saved = (view: unknown) => savedPackagesView.parse(JSON.parse(JSON.stringify(view)));

  it("comes back as it was, verdicts included", () => {
    const view: PackagesView = {
      allHash: "00ff",
      problem: "p",
      packages: [states[0]![0], states[1]![0], states[4]![0]],
    };
    expect(saved(view)).toEqual(view);
    expect(saved(noPackages)).toEqual(noPackages);
  });

  it("is pending where a download or an installation was under way", () => {
    const { packages } = saved({ packages: [states[2]![0], states[3]![0]] });
    for (const one of packages) expect(one).toEqual({ name: "c", held, offered, state: { t: "pending" } });
  });

  it.each([
    ["installed without anything held", { name: "c", offered, state: { t: "installed" } }],
    ["failed without an offer", { name: "c", held, state: { t: "failed", reason: "no" } }],
    ["a hash that is not hex", { name: "c", held: { version: "1", hash: "xy" }, state: { t: "installed" } }],
    ["a state of another kind", { name: "c", held, offered, state: { t: "gone" } }],
  ])("is not taken with %s", (_what, one) => {
    expect(() => saved({ packages: [one] })).toThrow(/invalid/i);
  });
});
