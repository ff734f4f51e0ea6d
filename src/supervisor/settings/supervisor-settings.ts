import type { ListenAddress } from "../../foundation/settings-file/listen-address.ts";
import type { TelemetrySettings } from "./telemetry-settings.ts";

/** Everything supervisor.yaml can say, defaults filled in. Durations are milliseconds, sizes bytes. */
export interface SupervisorSettings {
  readonly server: ServerSettings;
  readonly capabilities: CapabilitySettings;
  readonly storage: StorageSettings;
  readonly agent: AgentSettings;
  readonly packages: PackageSettings;
  readonly telemetry: TelemetrySettings;
  readonly healthcheck: HealthcheckSettings;
}

/** Header name to its values, in the order of the file. Values are secrets. */
export type Headers = Readonly<Record<string, readonly string[]>>;

/** Text by name, as in `agent.env`. */
export type TextMap = Readonly<Record<string, string>>;

/** `server`: the OpAMP server this supervisor obeys. */
export interface ServerSettings {
  /** An absolute URL whose scheme is ws, wss, http or https. */
  readonly endpoint: string;
  readonly headers: Headers;
  /** Ours. Path of a file with further headers. */
  readonly headersFile: string | undefined;
  /** Ours. */
  readonly headersCommand: HeadersCommandSettings | undefined;
  /** Ours. */
  readonly oauth2: OAuth2Settings | undefined;
  /** Only means something where the scheme is wss or https. */
  readonly tls: TlsSettings;
  /** Ours. Largest message in either direction. */
  readonly maxMessageBytes: number;
  /** Ours. How long offered settings may lead nowhere before those of this file are used. 0: for ever. */
  readonly fallbackAfterMs: number;
  /** Ours. */
  readonly certificate: CertificateSettings;
  /** Ours. */
  readonly proxy: ProxySettings;
  /** Ours. Hosts, with or without a port, that the server may redirect to beside its own. */
  readonly allowedRedirectHosts: readonly string[];
  /**
   * Changes when endpoint, headers, tls or proxy are edited; a reference counts by its name, so that a token that is
   * renewed is no edit.
   */
  readonly digest: string;
}

/** How to get out; without a URL the environment says it. */
export interface ProxySettings {
  /** May hold a user and a password. */
  readonly url: string | undefined;
  /** Of the CONNECT request. */
  readonly connectHeaders: Headers;
}

/** When credentials that were fetched are fetched again. */
interface RenewalSettings {
  readonly timeoutMs: number;
  /** Where it is not known how long they are good. */
  readonly refreshIntervalMs: number;
  /** Before their end. */
  readonly expiryBufferMs: number;
}

/** `server.headers_command`: a program whose output is headers. */
export interface HeadersCommandSettings extends RenewalSettings {
  /** The program and its arguments; no shell reads them. */
  readonly command: readonly string[];
}

/** `server.oauth2`: client credentials, as in the Collector's oauth2client extension. */
export interface OAuth2Settings extends RenewalSettings {
  /** Either the text or the file is set; the same of the secret. */
  readonly clientId: string | undefined;
  readonly clientIdFile: string | undefined;
  readonly clientSecret: string | undefined;
  readonly clientSecretFile: string | undefined;
  readonly tokenUrl: string;
  readonly scopes: readonly string[];
  /** Further fields of the request, such as an audience. */
  readonly endpointParams: Headers;
  readonly tls: TlsSettings;
}

export const certificateKeyTypes = ["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"] as const;
export type CertificateKeyType = (typeof certificateKeyTypes)[number];

export const certificateIdentities = ["instance_uid", "any"] as const;
export type CertificateIdentity = (typeof certificateIdentities)[number];

/** `server.certificate`: a certificate of this host's own, signed by the server. */
export interface CertificateSettings {
  readonly request: boolean;
  readonly keyType: CertificateKeyType;
  /** Where a third of the lifetime is shorter, that. */
  readonly renewBeforeMs: number;
  /** Whom an issued certificate has to name. */
  readonly identity: CertificateIdentity;
}

export const tlsVersions = ["1.0", "1.1", "1.2", "1.3"] as const;
export type TlsVersion = (typeof tlsVersions)[number];

/** What TLS settings of a client and of a listener share (the Collector's configtls). */
export interface CommonTlsSettings {
  readonly caFile: string | undefined;
  readonly caPem: string | undefined;
  readonly includeSystemCaCertsPool: boolean;
  readonly certFile: string | undefined;
  readonly certPem: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPem: string | undefined;
  readonly minVersion: TlsVersion;
  /** Undefined: the newest the runtime has. */
  readonly maxVersion: TlsVersion | undefined;
  /** Names of Go's crypto/tls, such as `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. Empty: the runtime's choice. */
  readonly cipherSuites: readonly string[];
  /** Names of Go's crypto/tls, such as `X25519` or `P256`. Empty: the runtime's choice. */
  readonly curvePreferences: readonly string[];
  /** Undefined: certificates are read once. */
  readonly reloadIntervalMs: number | undefined;
  readonly tpm: TpmSettings;
}

/** Keys in a trusted platform module: read, so that the file is accepted, but not used. */
export interface TpmSettings {
  readonly enabled: boolean;
  readonly path: string | undefined;
  readonly ownerAuth: string | undefined;
  readonly auth: string | undefined;
}

/** `server.tls`. */
export interface TlsSettings extends CommonTlsSettings {
  readonly insecure: boolean;
  readonly insecureSkipVerify: boolean;
  readonly serverNameOverride: string | undefined;
  /** Ours. SHA-256 of the public keys (SubjectPublicKeyInfo) to trust, in base64. Empty: no pinning. */
  readonly pinSha256: readonly string[];
}

/** `healthcheck.tls`. */
export interface ListenerTlsSettings extends CommonTlsSettings {
  readonly clientCaFile: string | undefined;
  readonly clientCaFileReload: boolean;
}

/** `capabilities`: what the server may ask and is told. */
export interface CapabilitySettings {
  readonly acceptsRemoteConfig: boolean;
  readonly acceptsRestartCommand: boolean;
  readonly acceptsOpampConnectionSettings: boolean;
  /** Ours. */
  readonly acceptsOtherConnectionSettings: boolean;
  /** Ours. */
  readonly acceptsPackages: boolean;
  readonly reportsEffectiveConfig: boolean;
  readonly reportsOwnMetrics: boolean;
  readonly reportsOwnLogs: boolean;
  readonly reportsOwnTraces: boolean;
  readonly reportsHealth: boolean;
  readonly reportsRemoteConfig: boolean;
  readonly reportsAvailableComponents: boolean;
  readonly reportsHeartbeat: boolean;
  /** Ours. Not set: as {@link acceptsPackages}. */
  readonly reportsPackageStatuses: boolean;
  /** Ours. Not set: whether any connection settings are accepted. */
  readonly reportsConnectionSettingsStatus: boolean;
}

/** `storage`. */
export interface StorageSettings {
  readonly directory: string;
}

/** The three places in `agent.config_files` that are no file. */
export const configFileMarkers = [
  "$OWN_TELEMETRY_CONFIG",
  "$OPAMP_EXTENSION_CONFIG",
  "$REMOTE_CONFIG",
] as const;

/** `agent`: the Collector and how it is kept. */
export interface AgentSettings {
  /**
   * As written: relative to the working directory. It existed when the file was read, unless packages are
   * accepted: then it may be missing, or not be set at all.
   */
  readonly executable: string | undefined;
  /** A canonical UUID, used only where no persistent state exists yet. */
  readonly instanceId: string | undefined;
  readonly orphanDetectionIntervalMs: number;
  readonly configApplyTimeoutMs: number;
  readonly bootstrapTimeoutMs: number;
  /** 0: a free one is chosen. */
  readonly opampServerPort: number;
  readonly passthroughLogs: boolean;
  /** Undefined: not set, so that the supervisor may choose. */
  readonly useHupConfigReload: boolean | undefined;
  /** Undefined: not set, so that the supervisor may choose. */
  readonly validateConfig: boolean | undefined;
  /** Paths and {@link configFileMarkers}, in merge order. Nothing else in it starts with `$`. */
  readonly configFiles: readonly string[];
  readonly args: readonly string[];
  readonly env: TextMap;
  readonly description: {
    readonly identifying: TextMap;
    readonly nonIdentifying: TextMap;
  };
  /** The user the Collector runs as. */
  readonly runAs: string | undefined;
  readonly accessDirs: AccessDirsSettings | undefined;
  /** Whole configurations, tried in this order. */
  readonly startupFallbackConfigs: readonly string[];
  /** Ours. How long an applied configuration may still be reverted. */
  readonly probationMs: number;
  /** Ours. How long the Collector may be silent on its local link before it counts as hung. */
  readonly livenessTimeoutMs: number;
  /** Ours. What becomes of the Collector when the supervisor dies. */
  readonly onSupervisorExit: OnSupervisorExit;
  /** Ours. More exits than this within the window are a crash loop. */
  readonly crashLoop: { readonly maxExits: number; readonly windowMs: number };
  /** Ours. Most memory that the Collector may take. Undefined: not limited. */
  readonly memoryLimitBytes: number | undefined;
  /** Ours. Rotation of agent.log; `keep` old files stay beside it. */
  readonly log: { readonly maxBytes: number; readonly keep: number };
  /** Ours. */
  readonly restrictions: RestrictionSettings;
  /** Ours. Between two messages for staged rollouts. 0: none are sent. */
  readonly figuresIntervalMs: number;
  /** Ours. `allowHttp`: offers may send own telemetry to other hosts without TLS. */
  readonly ownTelemetry: { readonly allowHttp: boolean };
  /** Ours. */
  readonly trust: TrustSettings;
}

/** `agent.trust`: whose remote configurations are used. */
export interface TrustSettings {
  /** Paths of public keys in PEM. None: whatever the server offers is used. */
  readonly configKeys: readonly string[];
  /** How far this host's clock and that of a signer may be apart. */
  readonly clockSkewMs: number;
}

/** `packages`: files that the server offers, above all the Collector itself. Ours. */
export interface PackageSettings {
  /** Base URLs (http:, https:, file:), tried before the offered URL. May hold secrets. */
  readonly mirrors: readonly string[];
  /** A directory that is watched for packages. */
  readonly dropFolder: string | undefined;
  /** Undefined: not limited. */
  readonly bytesPerSecond: number | undefined;
  /** Of one downloaded file. */
  readonly maxBytes: number;
  /** Of everything an archive holds. */
  readonly maxUnpackedBytes: number;
  /** Files and directories in an archive. */
  readonly maxMembers: number;
  readonly stallTimeoutMs: number;
  /** Previous versions that stay on disk. */
  readonly keep: number;
  /** For downloads. */
  readonly proxy: ProxySettings;
  /** `keys`: paths of public keys in PEM. */
  readonly trust: { readonly keys: readonly string[] };
}

export const onSupervisorExitChoices = ["keep", "stop"] as const;
export type OnSupervisorExit = (typeof onSupervisorExitChoices)[number];

/** `agent.access_dirs`: the only directories the Collector may use. */
export interface AccessDirsSettings {
  readonly read: AccessRule;
  readonly write: AccessRule;
}

export interface AccessRule {
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** `agent.restrictions`: what remote configuration may contain. Undefined: not restricted; an empty list: nothing is allowed. */
export interface RestrictionSettings {
  readonly componentTypes: {
    readonly receivers: readonly string[] | undefined;
    readonly processors: readonly string[] | undefined;
    readonly exporters: readonly string[] | undefined;
    readonly connectors: readonly string[] | undefined;
    readonly extensions: readonly string[] | undefined;
  };
  /** Schemes of `${scheme:…}` references, such as `env`. */
  readonly configProviders: readonly string[] | undefined;
  readonly filePaths: readonly string[] | undefined;
  readonly listenAddresses: readonly string[] | undefined;
  /** Undefined: not set; the enforcer decides. */
  readonly allowOverride: {
    readonly opampExtension: boolean | undefined;
    readonly serviceTelemetry: boolean | undefined;
    readonly localFiles: boolean | undefined;
  };
  readonly maxRemoteConfigBytes: number | undefined;
}

export const healthcheckTransports = ["tcp", "tcp4", "tcp6", "unix"] as const;
export type HealthcheckTransport = (typeof healthcheckTransports)[number];

/** `healthcheck`: the Collector's confighttp server. Without an endpoint there is no listener. */
export interface HealthcheckSettings {
  /** As `listen()` of node:http takes it. */
  readonly endpoint: ListenAddress | { readonly path: string } | undefined;
  readonly transport: HealthcheckTransport;
  readonly tls: ListenerTlsSettings | undefined;
  readonly responseHeaders: Headers;
  readonly maxRequestBodyBytes: number | undefined;
  readonly readTimeoutMs: number | undefined;
  readonly readHeaderTimeoutMs: number | undefined;
  readonly writeTimeoutMs: number | undefined;
  readonly idleTimeoutMs: number | undefined;
  readonly keepAlivesEnabled: boolean | undefined;
  /** Keys that the file has, that are accepted, and that have no effect here. */
  readonly unusedKeys: readonly string[];
}
