import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as z from "zod";
import { toHex } from "../../foundation/hex.ts";
import { parseInstanceUid } from "../../opamp/instance-uid.ts";
import {
  AgentToServerSchema,
  type AvailableComponents,
  AvailableComponentsSchema,
  type EffectiveConfig,
  EffectiveConfigSchema,
} from "../../opamp/messages.ts";
import type { AgentState } from "../../opamp/server/agent-state.ts";
import type { Agent, OfferEntry, Presence } from "./agent.ts";
import { labelsOf } from "./labels.ts";
import type { AgentContactsTable, AgentsTable } from "./tables.ts";

/** The parts of a report that are stored apart. */
export const documentParts = ["effectiveConfig", "availableComponents"] as const;
export type DocumentPart = (typeof documentParts)[number];
export type Documents = Pick<AgentState, DocumentPart>;

const entry = z.object({
  number: z.number(),
  rule: z.number(),
  hash: z.string(),
  offeredAt: z.number(),
  answer: z.object({ status: z.string(), at: z.number(), error: z.string() }).optional(),
});

const offerNotes = z.object({ refused: z.array(z.number()), last: entry.optional() });

const storedNotes = z.object({
  asked: z.object({ fullState: z.boolean(), componentsHash: z.string().optional() }),
  offers: z.object({
    configuration: offerNotes,
    packages: offerNotes,
    // Servers before this one kept none.
    connections: offerNotes.default({ refused: [] }),
  }),
  offerCount: z.number(),
  restartWaiting: z.boolean(),
});

/** An Agent as a row; `replica` is this one's id. */
export function toRow(agent: Agent, replica: string, revision: number): AgentsTable {
  const { appliedHash, firstSeen, id, presence, remoteAddress, state, transport } = agent;
  return {
    uid: id,
    report: reportOf(state),
    notes: JSON.stringify(notesOf(agent)),
    transport,
    remote_address: remoteAddress,
    first_seen: firstSeen,
    applied_hash: appliedHash ?? null,
    gone_since: presence.t === "gone" ? presence.since : null,
    gone_reason: presence.t === "gone" ? presence.reason : null,
    replica: presence.t === "elsewhere" ? presence.replica : replica,
    revision,
  };
}

export function toContact({ id, lastSeen, state }: Agent): AgentContactsTable {
  return { uid: id, last_seen: lastSeen, sequence_num: state.sequenceNum.toString() };
}

/** The row as an Agent whose connection this replica does not hold. */
export function fromRow(
  row: AgentsTable & Omit<AgentContactsTable, "uid">,
  documents: Documents,
  known: Agent | undefined,
): Agent {
  const report = fromBinary(AgentToServerSchema, new Uint8Array(row.report));
  const notes = storedNotes.parse(JSON.parse(row.notes));
  const { componentsHash, fullState } = notes.asked;
  const { agentDescription, health, remoteConfigStatus, packageStatuses } = report;
  const { connectionSettingsStatus, customCapabilities } = report;
  const state: AgentState = {
    ...present({ agentDescription, health, remoteConfigStatus, packageStatuses }),
    ...present({ connectionSettingsStatus, customCapabilities }),
    ...present(documents),
    instanceUid: uidOf(row.uid),
    sequenceNum: BigInt(row.sequence_num),
    capabilities: report.capabilities,
    asked: {
      fullState,
      componentsHash: componentsHash === undefined ? undefined : fromHex(componentsHash),
    },
  };
  const { configuration, connections, packages } = notes.offers;
  return {
    id: row.uid,
    state,
    labels: labelsOf(agentDescription),
    presence: presenceOf(row),
    session: (known?.session ?? 0) + 1,
    transport: row.transport,
    remoteAddress: row.remote_address,
    firstSeen: row.first_seen,
    lastSeen: row.last_seen,
    appliedHash: row.applied_hash ?? undefined,
    figures: known?.figures,
    offers: {
      // What was offered in another session may have been lost, but for what was answered since.
      configuration: {
        offered: undefined,
        refused: configuration.refused,
        last: entryOf(configuration.last),
      },
      packages: { offered: undefined, refused: packages.refused, last: entryOf(packages.last) },
      connections: { offered: undefined, refused: connections.refused, last: entryOf(connections.last) },
    },
    offerCount: notes.offerCount,
    restartWaiting: notes.restartWaiting,
  };
}

/** The protobuf message of a part that is stored apart. */
export function encodeDocument(part: DocumentPart, documents: Documents): Uint8Array | undefined {
  const { availableComponents, effectiveConfig } = documents;
  if (part === "effectiveConfig") {
    return effectiveConfig && toBinary(EffectiveConfigSchema, effectiveConfig);
  }
  return availableComponents && toBinary(AvailableComponentsSchema, availableComponents);
}

export function decodeDocument(part: DocumentPart, body: Uint8Array): EffectiveConfig | AvailableComponents {
  return fromBinary(part === "effectiveConfig" ? EffectiveConfigSchema : AvailableComponentsSchema, body);
}

function reportOf(state: AgentState): Uint8Array {
  const { agentDescription, health, remoteConfigStatus, packageStatuses } = state;
  const { capabilities, connectionSettingsStatus, customCapabilities } = state;
  return toBinary(
    AgentToServerSchema,
    create(AgentToServerSchema, {
      capabilities,
      ...present({ agentDescription, health, remoteConfigStatus, packageStatuses }),
      ...present({ connectionSettingsStatus, customCapabilities }),
    }),
  );
}

function notesOf({ offerCount, offers, restartWaiting, state }: Agent): z.infer<typeof storedNotes> {
  const { componentsHash, fullState } = state.asked;
  const { configuration, connections, packages } = offers;
  return {
    asked: { fullState, componentsHash: componentsHash === undefined ? undefined : toHex(componentsHash) },
    offers: {
      configuration: { refused: [...configuration.refused], last: configuration.last },
      packages: { refused: [...packages.refused], last: packages.last },
      connections: { refused: [...connections.refused], last: connections.last },
    },
    offerCount,
    restartWaiting,
  };
}

function presenceOf({ gone_reason, gone_since, replica }: AgentsTable): Presence {
  return gone_since === null
    ? { t: "elsewhere", replica }
    : { t: "gone", since: gone_since, reason: gone_reason ?? "" };
}

function entryOf(last: z.infer<typeof entry> | undefined): OfferEntry | undefined {
  return last && { ...last, answer: last.answer };
}

function uidOf(id: string): Uint8Array {
  const uid = parseInstanceUid(id);
  if (uid === undefined) throw new Error(`no instance UID: ${JSON.stringify(id)}`);
  return uid;
}

const fromHex = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

type Present<T> = { [K in keyof T]?: NonNullable<T[K]> };

/** Without what is undefined, which a message and a state leave out instead. */
function present<T extends object>(parts: T): Present<T> {
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => part !== undefined)) as Present<T>;
}
