import { MetricsSink } from "../sink.ts";
import type { Stage } from "../stage.ts";
import { announce, dim, done, quote } from "../voice.ts";
import { apply, awaitStart, showEffective } from "./steps.ts";
import type { Story } from "./story.ts";

/** Host metrics of this machine, once a second, to the demo's own backend. */
const hostMetrics = (sink: string) => `receivers:
  hostmetrics:
    collection_interval: 1s
    scrapers: { cpu: {}, memory: {}, load: {}, filesystem: {}, network: {} }
exporters:
  otlp_http:
    endpoint: ${sink}
    encoding: json
    compression: none
service:
  pipelines:
    metrics: { receivers: [hostmetrics], exporters: [otlp_http] }
`;

/** The same with an OTTL rule in between. */
const withRule = (
  sink: string,
) => `${hostMetrics(sink).replace("receivers: [hostmetrics]", "receivers: [hostmetrics], processors: [transform]")}
processors:
  transform:
    metric_statements:
      - context: resource
        statements: ['set(attributes["team"], "platform")']
`;

/** An exporter that does not exist. */
const broken = (sink: string) => hostMetrics(sink).replaceAll("otlp_http", "otlp_htpp");

/** Configurations: a first one, a change of it, a bad one. */
export const firstStory: Story = { usesPackages: false, tell, whatNext };

async function tell(stage: Stage): Promise<void> {
  const sink = stage.use(await MetricsSink.open());
  announce("A supervisor starts, with nothing but the address of its server");
  await awaitStart(stage);

  announce("The server pushes a first configuration: collect this machine's own metrics");
  await apply(stage, hostMetrics(sink.url));
  await showEffective(stage, "hostmetrics");
  const names = await stage.until("metrics arrive at the backend", () =>
    sink.metricNames.size >= 5 ? [...sink.metricNames] : undefined,
  );
  done(`data flows: ${names.length} kinds of host metrics arrived`);
  quote(names.slice(0, 5).join(", "));

  announce("It pushes an OTTL rule into the running pipeline");
  const pid = stage.collectorPid();
  await apply(stage, withRule(sink.url));
  await showEffective(stage, 'set(attributes["team"], "platform")');
  await stage.until(
    "the rule takes effect",
    () => sink.resourceAttributes.get("team") === "platform" || undefined,
  );
  done(`the data now carries team=platform; the same process reloaded (pid ${pid})`);
  if (stage.collectorPid() !== pid) throw new Error("the Collector was restarted where a reload would do");

  announce("It pushes a bad configuration: an exporter that does not exist");
  const hash = await stage.push(broken(sink.url));
  const verdict = await stage.verdict(hash);
  if (verdict.status !== "FAILED") throw new Error(`expected FAILED, the status is ${verdict.status}`);
  done("reported FAILED, with the Collector's own reason:");
  quote(verdict.error ?? "");
  const before = sink.requests;
  await stage.until("data still flows", () => sink.requests > before || undefined);
  if (stage.collectorPid() !== pid) throw new Error("the bad configuration cost the Collector its life");
  const still = await stage.agent();
  if (!still?.health?.healthy) throw new Error("the Collector is not healthy any more");
  done(`nothing was lost: pid ${pid} still runs the good configuration, and data still arrives`);
}

async function whatNext(stage: Stage): Promise<string> {
  return `  ${dim("# who is out there, and what does it run?")}
  curl -s ${stage.managementUrl}api/v1/agents
  ${dim("# give it a configuration of yours, or a bad one")}
  curl -s --data-binary @collector.yaml ${stage.managementUrl}api/v1/config
  ${dim("# kill the Collector and look again: same configuration, data flowing")}
  kill -9 ${stage.collectorPid()}
  ${dim("# what the Collector says")}
  tail -f ${stage.directory}/state/agent.log`;
}
