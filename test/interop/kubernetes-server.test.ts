import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { tempDir } from "../support/temp-dir.ts";
import { type ChartTools, chartTools, type Manifest, manifestsIn } from "./charts.ts";

const run = promisify(execFile);
const root = new URL("../..", import.meta.url).pathname;
const chart = join(root, "packaging/helm/opamp-server");
const needed = ["postgres.existingSecret=database", "adminKey.existingSecret=admin"];

let helm: string;
let decode: ChartTools["decode"];

beforeAll(async () => {
  ({ helm, decode } = await chartTools());
}, 600_000);

/** What the chart becomes with these values alone; `helm template` refuses bad ones. */
async function render(...values: string[]): Promise<string> {
  const set = values.flatMap((value) => ["--set", value]);
  const where = ["--namespace", "opamp", "--kube-version", "1.31.0"];
  return (await run(helm, ["template", "control", chart, ...where, ...set])).stdout;
}

const one = (yaml: string, kind: string): Manifest => {
  const found = manifestsIn(yaml).find((manifest) => manifest.kind === kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};

const certificate = [
  "tls.certManager.enabled=true",
  "tls.certManager.issuerRef.name=letsencrypt",
  "tls.certManager.dnsNames[0]=opamp.example.com",
];

describe("the chart of opamp-server", () => {
  it("passes helm lint --strict", async () => {
    const set = needed.flatMap((value) => ["--set", value]);
    const { stdout } = await run(helm, ["lint", "--strict", chart, ...set]);
    expect(stdout).toContain("0 chart(s) failed");
  });

  const always = [
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "ConfigMap",
    "Service",
    "Service",
  ];
  it.each([
    { values: needed, kinds: [...always, "Deployment"] },
    {
      values: [
        ...needed,
        ...certificate,
        "tls.clientCaSecret=agents-ca",
        "serviceMonitor.enabled=true",
        "serviceMonitor.keySecret.name=viewer",
        "networkPolicy.operatorsFrom[0].namespaceSelector.matchLabels.team=ops",
        "networkPolicy.agentsFrom[0].ipBlock.cidr=10.0.0.0/8",
        "envFrom[0].secretRef.name=hooks",
      ],
      kinds: [...always, "Deployment", "Certificate", "ServiceMonitor"],
    },
    {
      values: [
        "replicas=1",
        "adminKey.existingSecret=admin",
        "tls.existingSecret=cert",
        "networkPolicy.enabled=false",
      ],
      kinds: ["ServiceAccount", "ConfigMap", "PersistentVolumeClaim", "Service", "Service", "Deployment"],
    },
  ])("is what the types of Kubernetes know, strictly: $kinds", async ({ values, kinds }) => {
    const decoded = await decode(await render(...values));
    expect(decoded.map((line) => line.split(" ")[0])).toEqual(kinds);
  });

  it("is refused by those types when a field of a certificate is misspelt, so that the test above means something", async () => {
    const broken = (await render(...needed, ...certificate)).replace("renewBefore", "renewBfore");
    await expect(decode(broken)).rejects.toThrow('unknown field "spec.renewBfore"');
  });

  it("names what is missing or does not go together", async () => {
    await expect(render("adminKey.existingSecret=admin")).rejects.toThrow(
      "replicas: more than one needs PostgreSQL",
    );
    await expect(render("postgres.existingSecret=database")).rejects.toThrow(
      "adminKey.existingSecret is needed",
    );
    await expect(render(...needed, "tls.certManager.enabled=true")).rejects.toThrow(
      "tls.certManager.dnsNames is needed",
    );
    await expect(render(...needed, ...certificate, "tls.existingSecret=x")).rejects.toThrow("not both");
    await expect(render(...needed, "tls.clientCaSecret=x")).rejects.toThrow(
      "tls.clientCaSecret needs a certificate",
    );
    await expect(render(...needed, "replicas=0")).rejects.toThrow("/replicas");
    await expect(render(...needed, "postgress.existingSecret=x")).rejects.toThrow("postgress");
  });

  it("runs without root, without capabilities, without a token, and writes to its state alone", async () => {
    const { spec } = one(await render(...needed, ...certificate), "Deployment");
    const pod = spec.template.spec;
    expect(spec.replicas).toBe(3);
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
    const [container] = pod.containers;
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    const writable = container.volumeMounts.filter(({ readOnly }: { readOnly?: boolean }) => !readOnly);
    expect(writable.map(({ mountPath }: { mountPath: string }) => mountPath)).toEqual([
      "/var/lib/opamp-server",
      "/tmp",
    ]);
  });

  it("gives a pod the time to say good-bye, and loses one replica at a time", async () => {
    const yaml = await render(...needed);
    const { spec } = one(yaml, "Deployment");
    const [{ lifecycle, readinessProbe, livenessProbe }] = spec.template.spec.containers;
    const before = Number(lifecycle.preStop.exec.command[1]);
    expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(before + 10);
    expect([readinessProbe.httpGet.path, livenessProbe.httpGet.path]).toEqual(["/ready", "/health"]);
    expect(spec.strategy.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
    expect(one(yaml, "PodDisruptionBudget").spec.maxUnavailable).toBe(1);
    const alone = one(await render("replicas=1", "adminKey.existingSecret=admin"), "Deployment");
    // Two at a time on one embedded database would not start.
    expect(alone.spec.strategy).toEqual({ type: "Recreate" });
  });

  it("lets nobody but its namespace at the management listener unless told so", async () => {
    const [agents, operators] = one(await render(...needed), "NetworkPolicy").spec.ingress;
    expect(agents.from).toBeUndefined();
    expect(operators).toEqual({
      ports: [{ port: "management", protocol: "TCP" }],
      from: [{ podSelector: {} }],
    });
  });

  it("has settings that the server takes, with those of the values over them and no secret in them", async () => {
    const yaml = await render(
      ...needed,
      "settings.opamp.drain=20s",
      "settings.rollouts.default_strategy=standard",
    );
    const settings = one(yaml, "ConfigMap").data["server.yaml"];
    const file = join(tempDir(), "server.yaml");
    writeFileSync(file, settings);
    const env = { ...process.env, OPAMP_POSTGRES_URL: "postgres://opamp@db/opamp" };
    const { stdout, stderr } = await run(join(root, "bin/opamp-server"), ["validate", "--config", file], {
      env,
    });
    expect(stderr).toBe("");
    expect(stdout).toContain("valid");
    expect(parse(settings)).toEqual({
      opamp: { endpoint: "0.0.0.0:4320", drain: "20s" },
      management: { endpoint: "0.0.0.0:4321" },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: as it is written in server.yaml
      storage: { postgres_url: "${env:OPAMP_POSTGRES_URL}" },
      rollouts: { default_strategy: "standard" },
      access: { admin_key_file: "/etc/opamp-server-admin/admin-key" },
    });
  });
});
