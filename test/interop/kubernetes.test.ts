import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { collectorBinary } from "../support/collector.ts";
import { tempDir } from "../support/temp-dir.ts";
import { type ChartTools, chartTools, manifestsIn } from "./charts.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;
const chart = join(root, "packaging/helm/opamp-supervisor");
const endpoint = "server.endpoint=wss://opamp.example.com/v1/opamp";

let helm: string;
let decode: ChartTools["decode"];

beforeAll(async () => {
  ({ helm, decode } = await chartTools());
}, 600_000);

/** What the chart becomes with these values; `helm template` refuses bad ones. */
async function render(values: readonly string[] = []): Promise<string> {
  const set = [endpoint, ...values].flatMap((value) => ["--set", value]);
  const where = ["--namespace", "opamp", "--kube-version", "1.31.0"];
  return (await run(helm, ["template", "node", chart, ...where, ...set])).stdout;
}

const everything = [
  "presets.hostMetrics=true",
  "presets.podLogs=true",
  "service.enabled=true",
  "networkPolicy.enabled=true",
  "podMonitor.enabled=true",
  ...["kubeletstats", "k8sattributes", "k8sCluster", "k8sEvents", "prometheusDiscovery"].map(
    (rule) => `rbac.${rule}=true`,
  ),
];

describe("the chart", () => {
  it("passes helm lint --strict", async () => {
    const { stdout } = await run(helm, ["lint", "--strict", chart, "--set", endpoint]);
    expect(stdout).toContain("0 chart(s) failed");
  });

  it.each([
    { values: [], kinds: ["ServiceAccount", "ConfigMap", "DaemonSet"] },
    {
      values: everything,
      kinds: [
        "NetworkPolicy",
        "ServiceAccount",
        "ConfigMap",
        "ClusterRole",
        "ClusterRoleBinding",
        "Service",
        "DaemonSet",
        "PodMonitor",
      ],
    },
    {
      values: [
        "existingSettings.secret=mine",
        "serviceAccount.create=false",
        "state.prepare=false",
        "envFrom[0].secretRef.name=token",
      ],
      kinds: ["DaemonSet"],
    },
  ])("is what the types of Kubernetes know, strictly: $kinds", async ({ values, kinds }) => {
    const decoded = await decode(await render(values));
    expect(decoded.map((line) => line.split(" ")[0])).toEqual(kinds);
  });

  it("is refused by those types when a field is misspelt, so that the test above means something", async () => {
    const broken = (await render()).replace("readOnlyRootFilesystem", "readOnlyRootFileSystem");
    await expect(decode(broken)).rejects.toThrow('unknown field "spec.template.spec');
  });

  it("names what is missing or wrong in the values", async () => {
    const template = (...args: string[]) =>
      run(helm, ["template", "node", chart, "--kube-version", "1.31.0", ...args]);
    await expect(template()).rejects.toThrow("server.endpoint is needed");
    await expect(template("--set", "server.endpoint=ftp://x")).rejects.toThrow("/server/endpoint");
    await expect(template("--set", endpoint, "--set", "rbac.everything=true")).rejects.toThrow(
      "invalid propertyName 'everything'",
    );
    await expect(template("--set", endpoint, "--set", "setings.x=1")).rejects.toThrow("setings");
  });

  it("runs without root, without capabilities, without a way to write but its state, and without a token", async () => {
    const daemonSet = manifestsIn(await render()).find(({ kind }) => kind === "DaemonSet")!;
    const pod = daemonSet.spec.template.spec;
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(pod).not.toHaveProperty("hostNetwork");
    expect(pod).not.toHaveProperty("hostPID");
    const [container] = pod.containers;
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container.volumeMounts.filter(({ readOnly }: { readOnly?: boolean }) => !readOnly)).toEqual([
      { name: "state", mountPath: "/var/lib/opamp-supervisor" },
      { name: "temporary", mountPath: "/tmp" },
    ]);
    const ports = container.ports.map(({ hostPort }: { hostPort?: number }) => hostPort);
    expect(ports).toEqual([undefined, 4317, 4318]);
  });

  it.each([
    ["kubeletstats", ["nodes/stats"]],
    ["k8sattributes", ["pods", "namespaces", "nodes", "replicasets"]],
    ["k8sEvents", ["events"]],
  ])("lets the pod read what %s needs, and nothing else", async (rule, resources) => {
    const rendered = manifestsIn(await render([`rbac.${rule}=true`]));
    const role = rendered.find(({ kind }) => kind === "ClusterRole")!;
    const rules = role.rules as { resources: string[]; verbs: string[] }[];
    expect(rules.flatMap((each) => each.resources)).toEqual(resources);
    expect(
      rules.flatMap((each) => each.verbs).filter((verb) => !["get", "list", "watch"].includes(verb)),
    ).toEqual([]);
    const daemonSet = rendered.find(({ kind }) => kind === "DaemonSet")!;
    expect(daemonSet.spec.template.spec.automountServiceAccountToken).toBe(true);
  });

  it("has settings that the supervisor takes, with those of the values over them", async () => {
    const values = [
      `settings.agent.executable=${collectorBinary()}`,
      "server.headers.Authorization=Bearer x",
    ];
    const settings = manifestsIn(await render(values)).find(({ kind }) => kind === "ConfigMap")!.data[
      "supervisor.yaml"
    ];
    const file = join(tempDir(), "supervisor.yaml");
    writeFileSync(file, settings);
    const env = { ...process.env, K8S_NODE_NAME: "n", K8S_NAMESPACE_NAME: "ns", K8S_POD_NAME: "p" };
    const { stdout, stderr } = await run(join(root, "bin/opamp-supervisor"), ["validate", "--config", file], {
      env,
    });
    expect(stderr).toBe("");
    expect(stdout).toContain("valid");
    expect(parse(settings)).toMatchObject({
      agent: { on_supervisor_exit: "stop" },
      server: { headers: { Authorization: "Bearer x" } },
    });
  });

  it("has the version of the programs", () => {
    const { version } = parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    for (const name of readdirSync(join(root, "packaging/helm"))) {
      const chartFile = readFileSync(join(root, "packaging/helm", name, "Chart.yaml"), "utf8");
      expect(parse(chartFile)).toMatchObject({ version, appVersion: version });
    }
  });

  it("is what the plain manifests were made from", async () => {
    const { stdout } = await run(process.execPath, [join(root, "scripts/manifests.mjs"), "--print"]);
    expect(readFileSync(join(root, "packaging/kubernetes/opamp-supervisor.yaml"), "utf8")).toBe(stdout);
  });
});
