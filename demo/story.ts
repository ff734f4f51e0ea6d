import type { Stage } from "./stage.ts";
import { announce, done, quote } from "./voice.ts";

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

/** Tells the story; it throws at the first step that does not truly happen. */
export async function tellStory(stage: Stage): Promise<void> {
  announce("A supervisor starts, with nothing but the address of its server");
  const agent = await stage.until("the supervisor connects", () => stage.agent());
  done(`connected: agent ${agent.id}`);
  const healthy = await stage.until("the Collector is up", async () => {
    const { health, version } = (await stage.agent()) ?? {};
    return health?.healthy ? { ...health, version } : undefined;
  });
  done(`a Collector runs: version ${healthy.version}, health "${healthy.status}"`);

  announce("The server pushes a first configuration: collect this machine's own metrics");
  await apply(stage, hostMetrics(stage.sink.url));
  await effective(stage, "hostmetrics");
  const names = await stage.until("metrics arrive at the backend", () =>
    stage.sink.metricNames.size >= 5 ? [...stage.sink.metricNames] : undefined,
  );
  done(`data flows: ${names.length} kinds of host metrics arrived`);
  quote(names.slice(0, 5).join(", "));

  announce("It pushes an OTTL rule into the running pipeline");
  const pid = stage.collectorPid();
  await apply(stage, withRule(stage.sink.url));
  await effective(stage, 'set(attributes["team"], "platform")');
  await stage.until(
    "the rule takes effect",
    () => stage.sink.resourceAttributes.get("team") === "platform" || undefined,
  );
  done(`the data now carries team=platform; the same process reloaded (pid ${pid})`);
  if (stage.collectorPid() !== pid) throw new Error("the Collector was restarted where a reload would do");

  announce("It pushes a bad configuration: an exporter that does not exist");
  const hash = await stage.push(broken(stage.sink.url));
  const verdict = await stage.verdict(hash);
  if (verdict.status !== "FAILED") throw new Error(`expected FAILED, the status is ${verdict.status}`);
  done("reported FAILED, with the Collector's own reason:");
  quote(verdict.error ?? "");
  const before = stage.sink.requests;
  await stage.until("data still flows", () => stage.sink.requests > before || undefined);
  if (stage.collectorPid() !== pid) throw new Error("the bad configuration cost the Collector its life");
  const still = await stage.agent();
  if (!still?.health?.healthy) throw new Error("the Collector is not healthy any more");
  done(`nothing was lost: pid ${pid} still runs the good configuration, and data still arrives`);
}

async function apply(stage: Stage, configuration: string): Promise<void> {
  const pushed = performance.now();
  const hash = await stage.push(configuration);
  const verdict = await stage.verdict(hash);
  if (verdict.status !== "APPLIED")
    throw new Error(`expected APPLIED, got ${verdict.status}: ${verdict.error}`);
  done(`pushed ${hash.slice(0, 8)} and APPLIED after ${Math.round(performance.now() - pushed)} ms`);
}

async function effective(stage: Stage, needle: string): Promise<void> {
  const text = await stage.until(`the effective configuration has ${needle}`, async () => {
    const config = (await stage.agent())?.effective_config?.[""];
    return config?.includes(needle) ? config : undefined;
  });
  done("effective configuration, as the Collector reports it:");
  const from = Math.max(0, text.indexOf("service:"));
  quote(
    text
      .slice(from)
      .split("\n")
      .filter((line) => /pipelines|receivers|exporters|processors|metrics|- /.test(line))
      .slice(0, 10)
      .join("\n"),
  );
}
