import type { LogLevel } from "../../foundation/logger.ts";
import type { ListenAddress } from "../../foundation/settings-file/listen-address.ts";
import type { AgentJwtSettings } from "../access/agent-jwt.ts";
import type { OidcSettings } from "../access/oidc.ts";
import type { Role } from "../access/role.ts";
import type { SecretSource } from "../configurations/secret-reference.ts";
import type { NotificationSettings } from "../notifications/settings.ts";

/** Where a PEM text comes from. */
export type PemSource = { file: string } | { pem: string };

/** TLS of a listener. */
export interface ListenerTls {
  certificate: PemSource;
  key: PemSource;
  /** When set, only clients with a certificate of this authority are let in. */
  clientCa: PemSource | undefined;
  minVersion: "1.2" | "1.3";
}

/** Packages that can be offered to Agents, and how these download them. */
export interface PackagesSettings {
  directory: string;
  /** Of that folder as Agents see it; undefined: on the address at which they reached this server. */
  url: string | undefined;
  /** Secret: go with every offer. Without `url`, the server's own downloads ask for them. */
  headers: Readonly<Record<string, readonly string[]>>;
  maxDownloads: number;
}

/** Whose certificate the authority for Agents is: made and kept by this server, or of these files. */
export type AuthoritySource = { t: "own" } | { t: "files"; certFile: string; keyFile: string };

/** Certificates of Agents; times in milliseconds. */
export interface CertificateSettings {
  /** Undefined: none are issued here. */
  authority: AuthoritySource | undefined;
  /** Of those that are issued. */
  lifetimeMs: number;
  /** By rule for Agents that were let in by a credential, or every request by a person. */
  approval: "automatic" | "manual";
  /** How long before its end an Agent that has not asked for a new one is offered it. */
  renewBeforeMs: number;
}

/** Where the database is. With neither, it is in memory. */
export interface StorageSettings {
  /** Of the embedded database. */
  directory: string | undefined;
  /** Secret: holds a password. It wins over `directory`. */
  postgresUrl: string | undefined;
  /** Holds the key that secrets in the database are sealed with; undefined: one is made in `directory`. */
  encryptionKeyFile?: string | undefined;
}

/** How changes reach the fleet. */
export interface RolloutSettings {
  /** Name of the strategy that is meant when none is named. */
  defaultStrategy: string;
  /** Undefined: gates with PromQL queries have no evidence. */
  prometheusUrl: string | undefined;
}

/** A Collector that configurations are shown to before they are offered. */
export interface ValidationSettings {
  /** Its program; undefined: none is asked. */
  collector: string | undefined;
  timeoutMs: number;
}

/** Who may use the management API, and which Agents are let in. */
export interface AccessSettings {
  /** Whether people need a key or a token; undefined: unless the listener is on loopback and none is set up. */
  required: boolean | undefined;
  /** A file that holds one API key of role admin. */
  adminKeyFile: string | undefined;
  oidc: OidcSettings | undefined;
  /** Addresses and networks; undefined: any. */
  addresses: readonly string[] | undefined;
  roleAddresses: Readonly<Record<Role, readonly string[] | undefined>>;
  /** Of new API keys. */
  keyLifetimeMs: number;
  agents: {
    /** Whether an Agent without credentials is refused. */
    required: boolean;
    jwt: AgentJwtSettings | undefined;
    addresses: readonly string[] | undefined;
  };
}

/** When Agents that are not heard count as what; milliseconds. */
export interface FleetSettings {
  staleAfterMs: number;
  forgetAfterMs: number;
}

/** What opamp-server runs by, complete: defaults filled in, sizes in bytes, times in milliseconds. */
export interface ServerSettings {
  opamp: {
    address: ListenAddress;
    path: string;
    tls: ListenerTls | undefined;
    maxMessageBytes: number;
    maxConnections: number;
    heartbeatIntervalMs: number;
    /** Over which a server that stops says good-bye to its Agents. */
    drainMs: number;
  };
  management: {
    address: ListenAddress;
    tls: ListenerTls | undefined;
    maxBodyBytes: number;
  };
  /** Undefined: no packages are offered. */
  packages: PackagesSettings | undefined;
  storage: StorageSettings;
  rollouts: RolloutSettings;
  validation: ValidationSettings;
  /** Of templates and connection settings, by name. */
  secrets: Readonly<Record<string, SecretSource>>;
  access: AccessSettings;
  fleet: FleetSettings;
  certificates: CertificateSettings;
  notifications: NotificationSettings;
  logs: {
    level: LogLevel;
    /** `auto`: for people on a terminal, for machines elsewhere. */
    format: "auto" | "json" | "terminal";
    outputPaths: readonly string[];
  };
  metrics: {
    /** Labels of agents that tell the connected ones apart. */
    labels: readonly string[];
  };
}
