import { create, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { AgentCapability, hasBits, ServerCapability, ServerToAgentFlag } from "../bits.ts";
import { AvailableComponentsSchema } from "../messages.ts";
import {
  type ReportedKind,
  type ReportedKinds,
  type ReportedState,
  reportedKinds,
  reportedSchemas,
} from "./reported-state.ts";

/** What a server has to be told: a kind, or the capabilities that every message carries. */
type Part = ReportedKind | "capabilities";

/** One status report: the kinds it carries and which version of each. */
export interface Report {
  readonly fields: Partial<ReportedKinds>;
  readonly versions: ReadonlyMap<Part, number>;
}

const agentBits: Partial<Record<ReportedKind, bigint>> = {
  health: AgentCapability.ReportsHealth,
  effectiveConfig: AgentCapability.ReportsEffectiveConfig,
  remoteConfigStatus: AgentCapability.ReportsRemoteConfig,
  packageStatuses: AgentCapability.ReportsPackageStatuses,
  connectionSettingsStatus: AgentCapability.ReportsConnectionSettingsStatus,
  availableComponents: AgentCapability.ReportsAvailableComponents,
};

const serverBits: Partial<Record<ReportedKind, bigint>> = {
  effectiveConfig: ServerCapability.AcceptsEffectiveConfig,
  packageStatuses: ServerCapability.AcceptsPackagesStatus,
};

/**
 * What one server knows of the {@link ReportedState}. A kind stays due until the answer to the message that
 * carried it arrived, so that a failed write, an HTTP error or a lost connection loses nothing
 * (AS1-AS6, AT13, AT14).
 */
export class Acknowledgements {
  readonly #state: ReportedState;
  #sent = new Map<Part, number>();
  #acknowledged = new Map<Part, number>();
  readonly #withheld = new Map<ReportedKind, number>();
  #componentsDemanded = false;
  #serverCapabilities = 0n;

  constructor(state: ReportedState) {
    this.#state = state;
  }

  /** Makes the next report a full one (AS4, D10). */
  demandFull(): void {
    this.#sent.clear();
    this.#acknowledged.clear();
  }

  /** Makes the next report carry the components themselves, not only their hash (AS5). */
  demandComponents(): void {
    this.#componentsDemanded = true;
    this.#forget("availableComponents");
  }

  /** Makes due what the flags of a message ask for; false when they ask for nothing. */
  demandFlagged(flags: bigint): boolean {
    const full = hasBits(flags, ServerToAgentFlag.ReportFullState);
    const components = hasBits(flags, ServerToAgentFlag.ReportAvailableComponents);
    if (full) this.demandFull();
    if (components) this.demandComponents();
    return full || components;
  }

  /** Kinds the server does not take are left out from now on (AT11); 0 means it never said. */
  setServerCapabilities(capabilities: bigint): void {
    const before = this.#serverCapabilities;
    this.#serverCapabilities = capabilities;
    for (const kind of reportedKinds) {
      const bit = serverBits[kind];
      if (bit !== undefined && before !== 0n && !hasBits(before, bit)) this.#forget(kind);
    }
  }

  /** Whether the server has something to be told. */
  get pending(): boolean {
    return this.#parts().length > 0;
  }

  /** The report that is due: only what changed, or everything after {@link demandFull}. */
  compose(): Report {
    const fields: Partial<ReportedKinds> = {};
    const versions = new Map<Part, number>();
    for (const part of this.#parts()) {
      versions.set(part, this.#state.version(part));
      if (part !== "capabilities") this.#copy(part, fields);
    }
    return { fields, versions };
  }

  /** The report was handed to the transport. */
  sent(report: Report): void {
    for (const [part, version] of report.versions) this.#sent.set(part, version);
  }

  /** The server answered the report; also when it refused it, since that content must not be sent again (AE2). */
  settled(report: Report): void {
    for (const [part, version] of report.versions) this.#acknowledged.set(part, version);
    const components = report.fields.availableComponents?.components;
    if (components !== undefined && Object.keys(components).length > 0) this.#componentsDemanded = false;
  }

  /** Everything without an answer is due again. */
  lost(): void {
    this.#sent = new Map(this.#acknowledged);
  }

  /**
   * Leaves the largest kind of a report that was too large out until it changes; the rest stays due.
   * Returns its name, or undefined when the report carries no kind.
   */
  withholdLargest(report: Report): ReportedKind | undefined {
    const [largest] = (Object.keys(report.fields) as ReportedKind[])
      .map((kind) => ({ kind, size: sizeOf(kind, report.fields) }))
      .sort((a, b) => b.size - a.size);
    if (largest === undefined) return undefined;
    this.#withheld.set(largest.kind, report.versions.get(largest.kind) ?? 0);
    return largest.kind;
  }

  #forget(part: Part): void {
    this.#sent.delete(part);
    this.#acknowledged.delete(part);
  }

  #parts(): Part[] {
    return [...reportedKinds.filter((kind) => this.#reportable(kind)), "capabilities" as const].filter(
      (part) => this.#sent.get(part) !== this.#state.version(part),
    );
  }

  #reportable(kind: ReportedKind): boolean {
    if (this.#state.get(kind) === undefined) return false;
    if (this.#withheld.get(kind) === this.#state.version(kind)) return false;
    const accepted =
      this.#serverCapabilities === 0n || hasBits(this.#serverCapabilities, serverBits[kind] ?? 0n);
    return accepted && hasBits(this.#state.capabilities, agentBits[kind] ?? 0n);
  }

  #copy<K extends ReportedKind>(kind: K, fields: Partial<ReportedKinds>): void {
    const value = this.#state.get(kind);
    if (value === undefined) return;
    fields[kind] = value;
    const { availableComponents } = fields;
    if (kind === "availableComponents" && availableComponents !== undefined && !this.#componentsDemanded) {
      // The list is long and rarely asked for: servers cache it by hash (AX1, AX2).
      fields.availableComponents = create(AvailableComponentsSchema, { hash: availableComponents.hash });
    }
  }
}

function sizeOf(kind: ReportedKind, fields: Partial<ReportedKinds>): number {
  const value = fields[kind];
  const schema: DescMessage = reportedSchemas[kind];
  return value === undefined ? 0 : toBinary(schema, value).length;
}
