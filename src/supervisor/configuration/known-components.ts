/** What a component type does on its host, as far as its configuration decides it. */
export interface ComponentAccess {
  /** Keys that hold file paths, beyond those that {@link isPathKey} knows by name. */
  paths: readonly string[];
  /** Keys that hold addresses to listen on. */
  listens: readonly string[];
}

export const componentKinds = ["receivers", "processors", "exporters", "connectors", "extensions"] as const;
export type ComponentKind = (typeof componentKinds)[number];

const none: ComponentAccess = { paths: [], listens: [] };
const operators = ["operators.path", "operators.include", "header.metadata_operators.path"];
const filelog: ComponentAccess = { paths: ["include", ...operators], listens: [] };
const listener: ComponentAccess = { paths: [], listens: ["endpoint"] };
const protocols: ComponentAccess = { paths: [], listens: ["protocols.*.endpoint"] };
const lineListener: ComponentAccess = {
  paths: operators,
  listens: ["listen_address", "tcp.listen_address", "udp.listen_address"],
};

/**
 * Component types of the Collector's common distributions whose file and listen keys are known. In a
 * pattern `*` stands for one key, `**` for any number; list positions are left out.
 */
const known: Record<ComponentKind, ReadonlyMap<string, ComponentAccess>> = {
  receivers: table({
    "apache docker_stats elasticsearch host_metrics httpcheck http_check k8s_cluster k8s_events k8sobjects k8s_objects":
      none,
    "kafka kubeletstats kubelet_stats memcached mongodb mysql nginx nop postgresql rabbitmq redis": none,
    "windowseventlog windowsperfcounters zookeeper": none,
    "carbon fluentforward influxdb opencensus prometheusremotewrite splunk_hec statsd webhookevent zipkin":
      listener,
    "jaeger loki otelarrow otlp": protocols,
    "filelog file_log": filelog,
    "filestats file_stats": { paths: ["include"], listens: [] },
    hostmetrics: none,
    journald: { paths: operators, listens: [] },
    prometheus: { paths: [], listens: ["api_server.**.endpoint"] },
    "syslog tcplog tcp_log udplog udp_log": lineListener,
  }),
  processors: table({
    "attributes batch cumulativetodelta deltatocumulative deltatorate filter groupbyattrs groupbytrace": none,
    "interval k8sattributes k8s_attributes logdedup log_dedup memory_limiter metricsgeneration": none,
    "metricstransform metrics_transform nop probabilistic_sampler redaction remotetap resource": none,
    "resourcedetection resource_detection span tail_sampling transform": none,
  }),
  exporters: table({
    "awss3 aws_s3 carbon clickhouse debug elasticsearch influxdb kafka loadbalancing load_balancing": none,
    "loki nop opensearch otelarrow otlp otlp_grpc otlphttp otlp_http prometheusremotewrite": none,
    "prometheus_remote_write pulsar rabbitmq splunk_hec syslog zipkin": none,
    file: { paths: ["path"], listens: [] },
    prometheus: listener,
  }),
  connectors: table({
    "count exceptions failover forward grafanacloud roundrobin round_robin routing": none,
    "servicegraph service_graph signaltometrics signal_to_metrics spanmetrics span_metrics sum": none,
  }),
  extensions: table({
    "basicauth basic_auth bearertokenauth bearer_token_auth file_storage headers_setter": none,
    "k8s_leader_elector memory_limiter oauth2client oauth2_client oidc opamp sigv4auth": none,
    "health_check healthcheckv2": { paths: [], listens: ["endpoint", "http.endpoint", "grpc.endpoint"] },
    jaegerremotesampling: { paths: [], listens: ["http.endpoint", "grpc.endpoint"] },
    pprof: { paths: ["save_to_file"], listens: ["endpoint"] },
    zpages: listener,
  }),
};

/** undefined for a component type that this program does not know. */
export function accessOf(kind: ComponentKind, type: string): ComponentAccess | undefined {
  return known[kind].get(type);
}

/** Whether a key holds a file path by its name alone, in any component: `ca_file`, `directory`, `root_path`. */
export function isPathKey(key: string): boolean {
  if (/(?:^|_)(?:url|metrics|http)_path$/.test(key)) return false;
  return /(?:^|_)(?:file|files|filename|directory|dir|certificate|client_key)$|_path$/.test(key);
}

/** Whether a path of keys, list positions left out, fits a pattern. */
export function matchesPattern(path: readonly string[], pattern: string): boolean {
  const source = pattern
    .split(".")
    .map((key) => (key === "**" ? "(?:[^\\0]+\\0)*" : key === "*" ? "[^\\0]+\\0" : `${key}\\0`))
    .join("");
  return new RegExp(`^${source}$`).test(path.map((key) => `${key}\0`).join(""));
}

function table(access: Record<string, ComponentAccess>): ReadonlyMap<string, ComponentAccess> {
  return new Map(
    Object.entries(access).flatMap(([types, what]) => types.split(" ").map((type) => [type, what])),
  );
}
