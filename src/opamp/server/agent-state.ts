import { clone, equals, type Message } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { AgentCapability, hasBits, ServerToAgentFlag } from "../bits.ts";
import {
  type AgentDescription,
  AgentDescriptionSchema,
  type AgentToServer,
  type AvailableComponents,
  AvailableComponentsSchema,
  type ComponentHealth,
  ComponentHealthSchema,
  type ConnectionSettingsStatus,
  ConnectionSettingsStatusSchema,
  type CustomCapabilities,
  CustomCapabilitiesSchema,
  type EffectiveConfig,
  type PackageStatuses,
  PackageStatusesSchema,
  type RemoteConfigStatus,
  RemoteConfigStatusSchema,
} from "../messages.ts";
import { copyEffectiveConfig, sameEffectiveConfig } from "./effective-config.ts";

/** The parts of a report that an Agent leaves out while they are unchanged (AS2). */
export interface ReportedParts {
  readonly agentDescription?: AgentDescription;
  readonly health?: ComponentHealth;
  readonly effectiveConfig?: EffectiveConfig;
  readonly remoteConfigStatus?: RemoteConfigStatus;
  readonly packageStatuses?: PackageStatuses;
  readonly customCapabilities?: CustomCapabilities;
  readonly availableComponents?: AvailableComponents;
  readonly connectionSettingsStatus?: ConnectionSettingsStatus;
}

/** What is known of one Agent, put together from all its reports. Plain data; safe to keep and to share. */
export interface AgentState extends ReportedParts {
  readonly instanceUid: Uint8Array;
  readonly sequenceNum: bigint;
  readonly capabilities: bigint;
  /** What the Agent was last asked for, so that one that cannot answer is not asked for ever. */
  readonly asked: { readonly fullState: boolean; readonly componentsHash: Uint8Array | undefined };
}

export interface MergedReport {
  readonly state: AgentState;
  /** Reports were missed and this one is not full: answer with ReportFullState (SS1). */
  readonly gap: boolean;
  /** Only the hash of the components is known: answer with ReportAvailableComponents (SS6). */
  readonly componentsUnknown: boolean;
  /** The parts this message brought that differ from what was stored. */
  readonly changed: ReportedParts;
}

/** The `flags` of the answer that a merged report calls for. */
export function answerFlags(merged: Pick<MergedReport, "gap" | "componentsUnknown">): bigint {
  return (
    (merged.gap ? ServerToAgentFlag.ReportFullState : 0n) |
    (merged.componentsUnknown ? ServerToAgentFlag.ReportAvailableComponents : 0n)
  );
}

/**
 * Adds one report to what is known of its Agent. Parts left out keep their stored value (SS5).
 * Pure: the arguments are not changed. What is stored is copied, for a part of a message is a view into the
 * whole frame it came in and would keep all of it in memory.
 */
export function mergeReport(previous: AgentState | undefined, message: AgentToServer): MergedReport {
  const expected = previous === undefined ? 0n : previous.sequenceNum + 1n;
  const inOrder = message.sequenceNum === expected;
  const capabilities = message.capabilities === 0n ? (previous?.capabilities ?? 0n) : message.capabilities;
  const described = message.agentDescription !== undefined;

  const missed = !inOrder || (previous === undefined && !described);
  // An Agent that numbers wrongly has said all it can once it was asked; asking on would never end (AT5).
  const saidAll = isFull(message, capabilities) || (described && previous?.asked.fullState === true);
  const gap = missed && !saidAll;

  const changed = changedParts(previous, message);
  const components = changed.availableComponents ?? previous?.availableComponents;
  const hashOnly =
    message.availableComponents !== undefined &&
    components !== undefined &&
    components.hash.length > 0 &&
    Object.keys(components.components).length === 0;
  const askedBefore = inOrder && sameBytes(previous?.asked.componentsHash, components?.hash);
  const componentsUnknown = hashOnly && !askedBefore;

  const asked = {
    fullState: gap,
    componentsHash: componentsUnknown
      ? components.hash
      : inOrder
        ? previous?.asked.componentsHash
        : undefined,
  };
  const instanceUid = message.instanceUid.slice();
  const { sequenceNum } = message;
  const state = { ...previous, ...changed, instanceUid, sequenceNum, capabilities, asked };
  return { state, gap, componentsUnknown, changed };
}

/** Parts that differ from the stored ones. A hash of components that are known already is no change. */
function changedParts(previous: AgentState | undefined, message: AgentToServer): ReportedParts {
  return {
    ...whenChanged(
      "agentDescription",
      AgentDescriptionSchema,
      previous?.agentDescription,
      message.agentDescription,
    ),
    ...whenChanged("health", ComponentHealthSchema, previous?.health, message.health),
    ...changedEffectiveConfig(previous?.effectiveConfig, message.effectiveConfig),
    ...whenChanged(
      "remoteConfigStatus",
      RemoteConfigStatusSchema,
      previous?.remoteConfigStatus,
      message.remoteConfigStatus,
    ),
    ...whenChanged(
      "packageStatuses",
      PackageStatusesSchema,
      previous?.packageStatuses,
      message.packageStatuses,
    ),
    ...whenChanged(
      "customCapabilities",
      CustomCapabilitiesSchema,
      previous?.customCapabilities,
      message.customCapabilities,
    ),
    ...whenChanged(
      "connectionSettingsStatus",
      ConnectionSettingsStatusSchema,
      previous?.connectionSettingsStatus,
      message.connectionSettingsStatus,
    ),
    ...(bringsNoNewComponents(previous?.availableComponents, message.availableComponents)
      ? {}
      : whenChanged(
          "availableComponents",
          AvailableComponentsSchema,
          previous?.availableComponents,
          message.availableComponents,
        )),
  };
}

function whenChanged<T extends Message>(
  key: keyof ReportedParts,
  schema: GenMessage<T>,
  before: T | undefined,
  now: T | undefined,
): ReportedParts {
  if (now === undefined) return {};
  return before !== undefined && equals(schema, before, now) ? {} : { [key]: clone(schema, now) };
}

function changedEffectiveConfig(
  before: EffectiveConfig | undefined,
  now: EffectiveConfig | undefined,
): ReportedParts {
  if (now === undefined || (before !== undefined && sameEffectiveConfig(before, now))) return {};
  return { effectiveConfig: copyEffectiveConfig(now) };
}

function bringsNoNewComponents(
  before: AvailableComponents | undefined,
  now: AvailableComponents | undefined,
): boolean {
  return now !== undefined && sameBytes(before?.hash, now.hash) && Object.keys(now.components).length === 0;
}

const reportingBits = [
  [AgentCapability.ReportsHealth, "health"],
  [AgentCapability.ReportsEffectiveConfig, "effectiveConfig"],
  [AgentCapability.ReportsRemoteConfig, "remoteConfigStatus"],
  [AgentCapability.ReportsPackageStatuses, "packageStatuses"],
  [AgentCapability.ReportsAvailableComponents, "availableComponents"],
  [AgentCapability.ReportsConnectionSettingsStatus, "connectionSettingsStatus"],
] as const;

/** Whether a message carries every part its Agent is able to report. */
function isFull(message: AgentToServer, capabilities: bigint): boolean {
  return (
    message.agentDescription !== undefined &&
    reportingBits.every(([bit, part]) => !hasBits(capabilities, bit) || message[part] !== undefined)
  );
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
