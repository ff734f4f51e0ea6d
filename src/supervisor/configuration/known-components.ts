/** What a component type does on its host, as far as its configuration decides it. */
export interface ComponentAccess {
  /** Keys that hold file paths, beyond those that {@link isPathKey} knows by name. */
  readonly paths?: readonly string[];
  /** Keys that hold addresses to listen on. */
  readonly listens?: readonly string[];
  /** What it uses where the configuration does not say. */
  readonly defaults?: readonly ComponentDefault[];
}

/** The path or address that a key has unless it is written. A key inside a map counts only if the map is there. */
export interface ComponentDefault {
  readonly kind: "path" | "address";
  readonly key: string;
  readonly value: string;
  /** Where this key is set, the default is not used. */
  readonly unless?: string;
}

export const componentKinds = ["receivers", "processors", "exporters", "connectors", "extensions"] as const;
export type ComponentKind = (typeof componentKinds)[number];

const none: ComponentAccess = {};
/** Receivers made of the `stanza` log library: any input and output may be among their operators. */
const stanza: ComponentAccess = {
  paths: ["**.include", "**.path"],
  listens: ["**.listen_address"],
};

/**
 * Component types of the Collector's common distributions whose file and listen keys are known, with the
 * defaults of Collector 0.104 and later. In a pattern `*` stands for one key, `**` for any number; list
 * positions are left out. What is not here is refused where files or addresses are restricted.
 */
const known: Record<ComponentKind, ReadonlyMap<string, ComponentAccess>> = {
  receivers: table({
    "apache docker_stats elasticsearch host_metrics hostmetrics httpcheck http_check k8s_cluster": none,
    "k8s_events k8sobjects k8s_objects kafka kubeletstats kubelet_stats memcached mongodb mysql nginx": none,
    "nop postgresql rabbitmq redis windowsperfcounters zookeeper": none,
    carbon: listener("localhost:2003"),
    "fluentforward fluent_forward": listener(""),
    influxdb: listener("localhost:8086"),
    opencensus: listener("localhost:55678"),
    prometheusremotewrite: listener("localhost:9090"),
    splunk_hec: listener("localhost:8088"),
    statsd: listener("localhost:8125"),
    webhookevent: listener(""),
    zipkin: {
      listens: ["endpoint", "protocols.*.endpoint"],
      defaults: [
        { ...address("endpoint", "localhost:9411"), unless: "protocols.http" },
        address("protocols.http.endpoint", ""),
      ],
    },
    jaeger: protocols({
      grpc: "localhost:14250",
      thrift_http: "localhost:14268",
      thrift_compact: "localhost:6831",
      thrift_binary: "localhost:6832",
    }),
    loki: protocols({ grpc: "localhost:3600", http: "localhost:3500" }),
    otelarrow: protocols({ grpc: "localhost:4317" }),
    otlp: protocols({ grpc: "localhost:4317", http: "localhost:4318" }),
    "filelog file_log syslog tcplog tcp_log udplog udp_log windowseventlog windows_event_log": stanza,
    "filestats file_stats": { paths: ["include"] },
    journald: {
      ...stanza,
      defaults: [{ kind: "path", key: "directory", value: "/var/log/journal", unless: "files" }],
    },
    prometheus: { listens: ["api_server.**.endpoint"] },
  }),
  processors: table({
    "attributes batch cumulativetodelta deltatocumulative deltatorate filter groupbyattrs groupbytrace": none,
    "interval k8sattributes k8s_attributes logdedup log_dedup memory_limiter metricsgeneration": none,
    "metricstransform metrics_transform nop probabilistic_sampler redaction resource": none,
    "resourcedetection resource_detection span tail_sampling transform": none,
    remotetap: listener("localhost:12001"),
  }),
  exporters: table({
    "awss3 aws_s3 carbon clickhouse elasticsearch influxdb kafka loadbalancing load_balancing": none,
    "loki nop opensearch otelarrow otlp otlp_grpc otlphttp otlp_http prometheusremotewrite": none,
    "prometheus_remote_write pulsar rabbitmq splunk_hec syslog zipkin": none,
    debug: { paths: ["output_paths"] },
    file: { paths: ["path"] },
    prometheus: listener(""),
  }),
  connectors: table({
    "count exceptions failover forward grafanacloud roundrobin round_robin routing": none,
    "servicegraph service_graph signaltometrics signal_to_metrics spanmetrics span_metrics sum": none,
  }),
  extensions: table({
    "basicauth basic_auth bearertokenauth bearer_token_auth headers_setter k8s_leader_elector": none,
    "memory_limiter oauth2client oauth2_client oidc opamp sigv4auth": none,
    file_storage: {
      defaults: ["directory", "compaction.directory"].map((key) => {
        return { kind: "path", key, value: "/var/lib/otelcol/file_storage" };
      }),
    },
    "health_check healthcheckv2": {
      listens: ["endpoint", "http.endpoint", "grpc.endpoint"],
      defaults: [
        { ...address("endpoint", "localhost:13133"), unless: "use_v2" },
        address("http.endpoint", "localhost:13133"),
        address("grpc.endpoint", "localhost:13132"),
      ],
    },
    jaegerremotesampling: {
      listens: ["http.endpoint", "grpc.endpoint"],
      defaults: [address("http.endpoint", "localhost:5778"), address("grpc.endpoint", "localhost:14250")],
    },
    pprof: listener("localhost:1777"),
    zpages: listener("localhost:55679"),
  }),
};

/** undefined for a component type that this program does not know. */
export function accessOf(kind: ComponentKind, type: string): ComponentAccess | undefined {
  return known[kind].get(type);
}

/** Whether a key holds a file path by its name alone, in any component: `ca_file`, `directory`, `root_path`. */
export function isPathKey(key: string): boolean {
  if (/(?:^|_)(?:url|metrics|http|health|raw)_path$/.test(key)) return false;
  return /(?:^|_)(?:file|files|filename|directory|dir|certificate|client_key)$|_path$/.test(key);
}

/** Whether a path of keys, list positions left out, fits a pattern. */
export function matchesPattern(path: readonly string[], pattern: string): boolean {
  return fits(path, pattern.split("."));
}

function fits(path: readonly string[], pattern: readonly string[]): boolean {
  const [wanted, ...others] = pattern;
  if (wanted === undefined) return path.length === 0;
  if (wanted === "**") return path.some((_, from) => fits(path.slice(from), others)) || fits([], others);
  const [key, ...rest] = path;
  return key !== undefined && (wanted === "*" || wanted === key) && fits(rest, others);
}

function address(key: string, value: string): ComponentDefault {
  return { kind: "address", key, value };
}

/** Listens on `endpoint`, and by default on this address; without any, "" is every interface. */
function listener(fallback: string): ComponentAccess {
  return { listens: ["endpoint"], defaults: [address("endpoint", fallback)] };
}

/** Listens on the `endpoint` of each protocol, by default on these addresses. */
function protocols(fallbacks: Record<string, string>): ComponentAccess {
  return {
    listens: ["protocols.*.endpoint"],
    defaults: Object.entries(fallbacks).map(([name, value]) => address(`protocols.${name}.endpoint`, value)),
  };
}

function table(access: Record<string, ComponentAccess>): ReadonlyMap<string, ComponentAccess> {
  return new Map(
    Object.entries(access).flatMap(([types, what]) => types.split(" ").map((type) => [type, what])),
  );
}
