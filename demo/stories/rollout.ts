import { MetricsSink } from "../sink.ts";
import type { AgentView, Stage } from "../stage.ts";
import { announce, dim, done, quote } from "../voice.ts";
import type { Story } from "./story.ts";

const hosts = 3;

/** One host first, then all; watched for seconds where a fleet would be watched for minutes. */
const strategy = {
  kind: "RolloutStrategy",
  name: "demo",
  stages: [
    { name: "canary", count: 1, dwell: "10s" },
    { name: "everybody", share: "100%", dwell: "3s" },
  ],
  // What a second of a busy machine does to these says nothing.
  gates: { cpu: "off", memory: "off", latency: "off", send_failures: { hold: "2s" } },
};

/** Host metrics to `backend`; what cannot be sent is lost at once. */
const collect = (backend: string, team: string) => `receivers:
  hostmetrics:
    collection_interval: 200ms
    scrapers: { load: {}, memory: {} }
exporters:
  otlp_http:
    endpoint: ${backend}
    encoding: json
    compression: none
    sending_queue: { enabled: false }
    retry_on_failure: { enabled: false }
service:
  telemetry:
    resource: { team: ${team} }
    metrics:
      level: basic
      readers: [{ pull: { exporter: { prometheus: { host: 127.0.0.1, port: "\${env:METRICS_PORT}" } } } }]
  pipelines:
    metrics: { receivers: [hostmetrics], exporters: [otlp_http] }
`;

interface RolloutView {
  state: string;
  stage: number | null;
  phase: string | null;
  progress: { released: number; applied: number; failed: number };
  story: { event: string; text: string }[];
}

/** A fleet: what is bad stays on one host, and goes back by itself. */
export const rolloutStory: Story = { usesPackages: false, hosts, tell, whatNext };

async function tell(stage: Stage): Promise<void> {
  const sink = stage.use(await MetricsSink.open());
  announce("Three supervisors start");
  const everybody = await stage.until("all connect", async () => {
    const agents = await stage.agents();
    return agents.length === hosts && agents.every(({ health }) => health?.healthy) ? agents : undefined;
  });
  done(`connected: ${everybody.map(({ id }) => id.slice(-6)).join(", ")}`);
  await stage.post("api/v1/strategies", JSON.stringify(strategy));

  announce("A first configuration, to everybody at once");
  const good = await stage.push(collect(sink.url, "first"));
  await stage.until("all apply it", async () => (await haveApplied(stage, good)) === hosts || undefined);
  await stage.until("data flows", () => sink.requests > 0 || undefined);
  done(`${good.slice(0, 8)} is APPLIED on all ${hosts}, and their data arrives`);

  announce("A bad one, in stages: it names an exporter that does not exist");
  const bad = await begin(stage, collect(sink.url, "bad").replaceAll("otlp_http", "otlp_htpp"));
  await follow(stage, bad.rollout, "rolled-back");
  await expectAllOn(stage, good);

  announce("A good one, in stages");
  const next = await begin(stage, collect(sink.url, "second"));
  await follow(stage, next.rollout, "done");
  await expectAllOn(stage, next.config_hash);

  announce("One that every host takes for good: its backend is not there");
  const lossy = await begin(stage, collect("http://127.0.0.1:1", "third"));
  const { story } = await follow(stage, lossy.rollout, "rolled-back");
  if (!story.some(({ event }) => event === "all-answered"))
    throw new Error("its host should have APPLIED it");
  await expectAllOn(stage, next.config_hash);
  done("one host lost data for seconds; two never heard of it");
}

async function begin(stage: Stage, text: string): Promise<{ rollout: string; config_hash: string }> {
  const path = "api/v1/config?strategy=demo";
  return (await stage.post(path, text, "application/yaml")) as { rollout: string; config_hash: string };
}

/** Tells every decision as it is made, until the rollout has come to that end. */
async function follow(stage: Stage, id: string, end: string): Promise<RolloutView> {
  let told = 0;
  return await stage.until(
    `the rollout is ${end}`,
    async () => {
      const rollout = (await stage.get(`api/v1/rollouts/${id}`)) as RolloutView;
      for (const { event, text } of rollout.story.slice(told)) {
        done(event);
        quote(text);
      }
      told = rollout.story.length;
      return rollout.state === end ? rollout : undefined;
    },
    90_000,
  );
}

async function expectAllOn(stage: Stage, hash: string): Promise<void> {
  await stage.until("all are on it", async () => (await haveApplied(stage, hash)) === hosts || undefined);
  done(`all ${hosts} run ${hash.slice(0, 8)}`);
}

async function haveApplied(stage: Stage, hash: string): Promise<number> {
  const isOn = ({ remote_config_status: status, health }: AgentView) =>
    status?.hash === hash && status.status === "APPLIED" && health?.healthy === true;
  return (await stage.agents()).filter(isOn).length;
}

async function whatNext(stage: Stage): Promise<string> {
  const api = `${stage.managementUrl}api/v1`;
  return `  ${dim("# what was decided, and on which figures?")}
  curl -s ${api}/rollouts
  ${dim("# what is not offered again by itself?")}
  curl -s ${api}/quarantine
  ${dim("# one of your own, in stages")}
  curl -s --data-binary @collector.yaml '${api}/config?strategy=demo'`;
}
