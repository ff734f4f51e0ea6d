import { type JournalEntry, journalSchema } from "../change/journal.ts";
import {
  type CertificateRequestRecord,
  type ConnectionCandidate,
  type ConnectionRecord,
  certificateRequestSchema,
  connectionCandidateSchema,
  connectionRecordSchema,
  noConnectionRecord,
} from "../connection/connection-record.ts";
import { JsonRecord } from "./json-record.ts";
import type { StateDirectory } from "./state-directory.ts";

/** Everything on disk about the connection to the OpAMP server. All of it is secret, mode 0600. */
export interface ConnectionFiles {
  readonly record: JsonRecord<ConnectionRecord>;
  readonly candidate: JsonRecord<ConnectionCandidate | null>;
  readonly journal: JsonRecord<JournalEntry | null>;
  readonly request: JsonRecord<CertificateRequestRecord | null>;
}

/** Damaged files are set aside and count as missing: supervisor.yaml holds what is needed to begin anew. */
export async function openConnectionFiles(directory: StateDirectory): Promise<ConnectionFiles> {
  const [record, candidate, journal, request] = await Promise.all([
    JsonRecord.open<ConnectionRecord>(
      directory,
      "connection_settings.json",
      connectionRecordSchema,
      noConnectionRecord,
    ),
    JsonRecord.open(directory, "connection_candidate.json", connectionCandidateSchema, null),
    JsonRecord.open(directory, "connection_journal.json", journalSchema, null),
    JsonRecord.open(directory, "certificate_request.json", certificateRequestSchema, null),
  ]);
  return { record, candidate, journal, request };
}
