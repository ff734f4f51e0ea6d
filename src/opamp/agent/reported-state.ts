import { clone, type DescMessage, equals } from "@bufbuild/protobuf";
import { AgentCapability } from "../bits.ts";
import {
  type AgentDescription,
  AgentDescriptionSchema,
  type AvailableComponents,
  AvailableComponentsSchema,
  type ComponentHealth,
  ComponentHealthSchema,
  type ConnectionSettingsStatus,
  ConnectionSettingsStatusSchema,
  type CustomCapabilities,
  CustomCapabilitiesSchema,
  type EffectiveConfig,
  EffectiveConfigSchema,
  type PackageStatuses,
  PackageStatusesSchema,
  type RemoteConfigStatus,
  RemoteConfigStatusSchema,
} from "../messages.ts";

/** The parts of AgentToServer that are left out while the server already knows them (AS2). */
export interface ReportedKinds {
  agentDescription: AgentDescription;
  health: ComponentHealth;
  effectiveConfig: EffectiveConfig;
  remoteConfigStatus: RemoteConfigStatus;
  packageStatuses: PackageStatuses;
  connectionSettingsStatus: ConnectionSettingsStatus;
  customCapabilities: CustomCapabilities;
  availableComponents: AvailableComponents;
}

export type ReportedKind = keyof ReportedKinds;

/** What changed: a kind, or what every message carries. */
export type ReportedChange = ReportedKind | "instanceUid" | "capabilities";

/** Schema of each kind, in the order of reporting. */
export const reportedSchemas: Readonly<Record<ReportedKind, DescMessage>> = {
  agentDescription: AgentDescriptionSchema,
  health: ComponentHealthSchema,
  effectiveConfig: EffectiveConfigSchema,
  remoteConfigStatus: RemoteConfigStatusSchema,
  packageStatuses: PackageStatusesSchema,
  connectionSettingsStatus: ConnectionSettingsStatusSchema,
  customCapabilities: CustomCapabilitiesSchema,
  availableComponents: AvailableComponentsSchema,
};

export const reportedKinds = Object.keys(reportedSchemas) as ReportedKind[];

export interface ReportedStateOptions {
  /** 16 bytes. */
  instanceUid: Uint8Array;
  /** Bits of `AgentCapability`; ReportsStatus is always added (AT8). */
  capabilities: bigint;
  /** Whether the uid is a stand-in and the server is asked for another one (AI2). */
  requestInstanceUid?: boolean;
}

/**
 * Everything the Agent currently says about itself. It knows no connection, so that several sessions can
 * report the same state; what each server has seen of it is kept in `Acknowledgements`.
 */
export class ReportedState {
  #instanceUid: Uint8Array;
  #capabilities: bigint;
  #requestInstanceUid: boolean;
  readonly #values: Partial<ReportedKinds> = {};
  readonly #versions = new Map<ReportedChange, number>();
  readonly #listeners = new Set<(change: ReportedChange) => void>();

  constructor(options: ReportedStateOptions) {
    this.#instanceUid = options.instanceUid.slice();
    this.#capabilities = options.capabilities | AgentCapability.ReportsStatus;
    this.#requestInstanceUid = options.requestInstanceUid ?? false;
  }

  get instanceUid(): Uint8Array {
    return this.#instanceUid;
  }

  get capabilities(): bigint {
    return this.#capabilities;
  }

  get requestInstanceUid(): boolean {
    return this.#requestInstanceUid;
  }

  /** The current value; it must not be changed in place. */
  get<K extends ReportedKind>(kind: K): ReportedKinds[K] | undefined {
    return this.#values[kind];
  }

  /** Grows by one with every change; 0 before the first. */
  version(of: ReportedChange): number {
    return this.#versions.get(of) ?? 0;
  }

  /** Reports a copy of `value` from now on. A value equal to the current one changes nothing (AS6). */
  set<K extends ReportedKind>(kind: K, value: ReportedKinds[K]): void {
    const schema: DescMessage = reportedSchemas[kind];
    const current = this.#values[kind];
    if (current !== undefined && equals(schema, current, value)) return;
    this.#values[kind] = clone(schema, value) as unknown as ReportedKinds[K];
    this.#changed(kind);
  }

  /** Announces other capabilities (AT9). */
  setCapabilities(capabilities: bigint): void {
    const next = capabilities | AgentCapability.ReportsStatus;
    if (next === this.#capabilities) return;
    this.#capabilities = next;
    this.#changed("capabilities");
  }

  /** Takes the uid that a server assigned, and stops asking for one (AI3, AI4). */
  adoptInstanceUid(uid: Uint8Array): void {
    this.#requestInstanceUid = false;
    if (Buffer.compare(uid, this.#instanceUid) === 0) return;
    this.#instanceUid = uid.slice();
    this.#changed("instanceUid");
  }

  /** Calls `listener` after every change, until the returned function is called. */
  subscribe(listener: (change: ReportedChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(what: ReportedChange): void {
    this.#versions.set(what, this.version(what) + 1);
    for (const listener of [...this.#listeners]) listener(what);
  }
}
