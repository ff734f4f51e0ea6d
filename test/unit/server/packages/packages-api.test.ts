import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { AgentCapability } from "../../../../src/opamp/bits.ts";
import { formatInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import { PackageStatusEnum } from "../../../../src/opamp/messages.ts";
import { fetchJson, RawWebSocketAgent, usualCapabilities } from "../../../support/raw-agent.ts";
import { startPackageServer, writeFiles } from "./package-folder.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("GET /api/v1/packages", () => {
  it("lists packages with their versions in order, and what is left out", async () => {
    const online = await startPackageServer({
      "collector/0.150.0/otelcol": "two",
      "collector/0.9.0/otelcol": "one",
      "collector/0.9.0/otelcol.sig": "s",
      "odd/1/a": "x",
      "odd/1/b": "x",
    });
    const { status, json } = await fetchJson(online.api("/api/v1/packages"));
    expect(status).toBe(200);
    const modified = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);
    expect(json).toEqual({
      packages: [
        {
          name: "collector",
          type: "top-level",
          versions: [
            { version: "0.9.0", file: "otelcol", size: 3, sha256: sha256("one"), signed: true, modified },
            { version: "0.150.0", file: "otelcol", size: 3, sha256: sha256("two"), signed: false, modified },
          ],
        },
      ],
      problems: [{ path: join(online.directory, "odd/1"), reason: "expected one file, found a and b" }],
      waiting: [],
    });
  });

  it("is up to date after POST /api/v1/packages/rescan", async () => {
    const online = await startPackageServer({ "a/1/f": "x" });
    await writeFiles(online.directory, { "a/2/f": "y" });
    expect((await fetchJson(online.api("/api/v1/packages"))).json).toMatchObject({
      packages: [{ versions: [{ version: "1" }] }],
    });
    const { status, json } = await online.post("/api/v1/packages/rescan");
    expect([status, json]).toMatchObject([
      200,
      { packages: [{ versions: [{ version: "1" }, { version: "2" }] }] },
    ]);
  });
});

describe("POST /api/v1/packages/offer", () => {
  it.each([
    ["no JSON", "packages=a", /not JSON.*expected JSON such as/],
    ["JSON of another shape", "[]", /expected JSON such as/],
    ["a mistyped key", '{"packages":{},"selectr":"a=b"}', /wrong: selectr/],
    ["a version that is no text", '{"packages":{"a":1}}', /wrong: packages\.a/],
    ["no packages at all", "{}", /wrong: packages/],
    [
      "an unknown package",
      '{"packages":{"z":"1"}}',
      /no package "z" of version "1": there is a, b, collector, otelcol/,
    ],
    ["an unknown version", '{"packages":{"a":"3"}}', /no package "a" of version "3": there is 1, 2/],
    [
      "one that was left out, with the reason",
      '{"packages":{"b":"2"}}',
      /b\/2: expected one file, found c and d/,
    ],
    [
      "two top-level packages",
      '{"packages":{"collector":"1","otelcol":"1"}}',
      /collector and otelcol are both/,
    ],
    ["an empty selector", '{"packages":{},"selector":""}', /leave it out/],
    ["an empty selector object", '{"packages":{},"selector":{"labels":{}}}', /leave it out/],
    [
      "a selector of something unknown",
      '{"packages":{},"selector":{"labels":{"capability:Flies":""}}}',
      /expected one of ReportsStatus/,
    ],
    ["a mistyped selector object", '{"packages":{},"selector":{"label":{}}}', /wrong: selector/],
    ["a bad selector", '{"packages":{},"selector":"a b"}', /at character 3/],
  ])("refuses %s, and changes nothing", async (_, body, detail) => {
    const online = await startPackageServer({
      "a/1/f": "x",
      "a/2/f": "x",
      "b/1/f": "x",
      "b/2/c": "x",
      "b/2/d": "x",
      "collector/1/f": "x",
      "otelcol/1/f": "x",
    });
    const options = { method: "POST", body };
    const { status, json } = await fetchJson(online.api("/api/v1/packages/offer"), options);
    expect(json.detail).toMatch(detail);
    expect(status).toBe(400);
    expect(online.log.of("packages_pushed")).toEqual([]);
  });

  it("takes the selector from the query as well, but not twice", async () => {
    const online = await startPackageServer({ "a/1/f": "x" });
    const push = (query: string, body: unknown) => online.post(`/api/v1/packages/offer${query}`, body);
    const packages = { a: "1" };
    expect((await push("?selector=env=prod", { packages })).json).toMatchObject({ selector: "env=prod" });
    expect((await push("?selector=env=prod", { packages, selector: "env=dev" })).status).toBe(400);
    expect((await push("?selectr=env=prod", { packages })).status).toBe(400);
  });

  it("takes a selector as an object too", async () => {
    const online = await startPackageServer({ "a/1/f": "x" });
    const selector = {
      labels: { env: "prod", region: ["eu", "us"] },
      uids: ["0198c0de-0000-7000-8000-00000000000a"],
      any: ["gpu", { labels: { "component:receiver/otlp": "" } }],
      all: ["service.version>=2.0.0"],
    };
    const { json } = await online.post("/api/v1/packages/offer", { packages: { a: "1" }, selector });
    expect(json.selector).toBe(
      'env=prod,region in (eu,us),uid in (0198c0de-0000-7000-8000-00000000000a),service.version>=2.0.0,(gpu||component:receiver/otlp="")',
    );
  });

  it("names a file that waits to be left alone", async () => {
    const online = await startPackageServer({ "a/1/f": "x" });
    await writeFile(join(online.directory, "a/1/f"), "being copied");
    online.clock.advance(10_000);
    const { status, json } = await online.post("/api/v1/packages/offer", { packages: { a: "1" } });
    expect([status, json.detail]).toEqual([400, expect.stringMatching(/a\/1\/f: was changed a moment ago/)]);
  });
});

describe("the packages of an Agent", () => {
  it("are shown as reported, and stay while they are not reported again (AS2)", async () => {
    const online = await startPackageServer({ "collector/2/otelcol": "two" });
    const { ReportsPackageStatuses, AcceptsPackages } = AgentCapability;
    const { agent } = await RawWebSocketAgent.join(
      online.server.opampUrl,
      { capabilities: usualCapabilities | AcceptsPackages | ReportsPackageStatuses },
      { packageStatuses: {} },
    );
    onTestFinished(() => agent.socket.terminate());
    const { json: push } = await online.post("/api/v1/packages/offer", { packages: { collector: "2" } });
    const { allPackagesHash, packages } = (await agent.receive()).packagesAvailable!;
    const status = {
      name: "collector",
      agentHasVersion: "1",
      serverOfferedVersion: "2",
      serverOfferedHash: packages.collector!.hash,
      status: PackageStatusEnum.PackageStatusEnum_Downloading,
      downloadDetails: { downloadPercent: 12.5, downloadBytesPerSecond: 1000 },
    };
    const report = (more: object) => ({
      packageStatuses: {
        packages: { collector: { ...status, ...more } },
        serverProvidedAllPackagesHash: allPackagesHash,
      },
    });
    await agent.exchange(report({}));
    await agent.exchange(report({ downloadDetails: { downloadPercent: 50, downloadBytesPerSecond: 900 } }));
    await agent.exchange({ health: { healthy: true } });
    const one = async () =>
      (await fetchJson(online.api(`/api/v1/agents/${formatInstanceUid(agent.speaker.uid)}`))).json;
    expect(await one()).toMatchObject({
      packages: {
        collector: {
          version: "1",
          status: "DOWNLOADING",
          offered_version: "2",
          download: { percent: 50, bytes_per_second: 900 },
        },
      },
      packages_hash: push.packages_hash,
      desired_packages_hash: push.packages_hash,
    });
    const failed = {
      status: PackageStatusEnum.PackageStatusEnum_InstallFailed,
      errorMessage: "bad signature",
    };
    await agent.exchange(report({ ...failed, downloadDetails: undefined }));
    const { packages: shown } = await one();
    expect(shown).toEqual({
      collector: { version: "1", status: "INSTALL_FAILED", offered_version: "2", error: "bad signature" },
    });
    expect((await fetchJson(online.api("/api/v1/agents"))).json).toMatchObject({
      agents: [{ packages: { collector: { version: "1", status: "INSTALL_FAILED" } } }],
    });
    // Progress is no news for the log.
    expect(online.log.of("package_status").map(({ status: name }) => name)).toEqual([
      "DOWNLOADING",
      "INSTALL_FAILED",
    ]);
  });
});
