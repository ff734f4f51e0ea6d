import { createHash } from "node:crypto";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import * as z from "zod/mini";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  type ConnectionSettingsOffers,
  ConnectionSettingsOffersSchema,
} from "../../opamp/messages.ts";
import { pemsOf } from "../connection/collector/destination.ts";

/** All that a merged configuration is made from, each part as it was last accepted. */
export interface ConfigurationInputs {
  remote: AgentRemoteConfig | undefined;
  ownTelemetry: ConnectionSettingsOffers | undefined;
  /** Text of each local file by its path in `agent.config_files`. A file that could not be read is absent. */
  localFiles: Readonly<Record<string, string>>;
  /** The package set that it is for: the program that checks and runs it, and the files that it can name. */
  packages: string | null;
}

/** A merged configuration as the Collector gets it, with what it was made from. Never changed once written. */
export interface Snapshot {
  /** The mark in the extension's headers. */
  id: string;
  /** Text of effective.yaml. */
  text: string;
  inputs: ConfigurationInputs;
}

const inputsSchema = z.object({
  /** Of the merged text, so that a damaged one is never run. */
  text_sha256: z.string(),
  remote: z.nullable(z.string()),
  own_telemetry: z.nullable(z.string()),
  local_files: z.record(z.string(), z.string()),
  packages: z._default(z.nullable(z.string()), null),
});

/** The part of the state directory that snapshots need. Names are relative to it. */
export interface SnapshotDirectory {
  path(name: string): string;
  /** undefined when there is no such file. */
  read(name: string): Promise<Uint8Array | undefined>;
  write(name: string, data: string, options?: { forCollector: boolean }): Promise<void>;
  remove(name: string): Promise<void>;
  list(): Promise<string[]>;
  setAside(name: string, reason: string): Promise<unknown>;
}

/**
 * Snapshots on disk: `ID.yaml` is the very file that is validated, and later linked to where the
 * Collector reads it, so that going back needs no free space; `ID.json` is what it was made from.
 * `SHA256.pem` are the certificates, keys and authorities that they name, each only once.
 */
export class Snapshots {
  readonly #directory: SnapshotDirectory;

  constructor(directory: SnapshotDirectory) {
    this.#directory = directory;
  }

  /** Path of the merged configuration of this snapshot. */
  path(id: string): string {
    return this.#directory.path(`${id}.yaml`);
  }

  /** Where {@link savePem} writes this text. */
  pemPath(pem: string): string {
    return this.#directory.path(pemName(pem));
  }

  /** Nothing is written where it is already, whole. */
  async savePem(pem: string): Promise<void> {
    const there = await this.#directory.read(pemName(pem));
    if (there !== undefined && new TextDecoder().decode(there) === pem) return;
    await this.#directory.write(pemName(pem), pem, { forCollector: true });
  }

  /** Writes again what somebody has deleted or changed of the files that a snapshot names. */
  async ensurePems({ text, inputs }: Snapshot): Promise<void> {
    for (const pem of pemsOf(inputs.ownTelemetry)) if (text.includes(pemName(pem))) await this.savePem(pem);
  }

  async save({ id, text, inputs }: Snapshot): Promise<void> {
    await this.#directory.write(`${id}.yaml`, text, { forCollector: true });
    await this.#writeInputs(id, sha256(text), inputs);
  }

  /** What a snapshot is going to be made from; there is nothing to run yet. */
  begin(id: string, inputs: ConfigurationInputs): Promise<void> {
    return this.#writeInputs(id, "", inputs);
  }

  /** The same text, from other inputs. Without the snapshot nothing is saved. */
  async saveInputs(id: string, inputs: ConfigurationInputs): Promise<void> {
    const snapshot = await this.load(id);
    if (snapshot !== undefined) await this.#writeInputs(id, sha256(snapshot.text), inputs);
  }

  async #writeInputs(
    id: string,
    textSha256: string,
    { remote, ownTelemetry, localFiles, packages }: ConfigurationInputs,
  ): Promise<void> {
    const file: z.infer<typeof inputsSchema> = {
      text_sha256: textSha256,
      remote: remote === undefined ? null : toBase64(toBinary(AgentRemoteConfigSchema, remote)),
      own_telemetry:
        ownTelemetry === undefined ? null : toBase64(toBinary(ConnectionSettingsOffersSchema, ownTelemetry)),
      local_files: { ...localFiles },
      packages,
    };
    await this.#directory.write(`${id}.json`, JSON.stringify(file));
  }

  /** undefined when it is not whole; a damaged part is set aside. */
  async load(id: string): Promise<Snapshot | undefined> {
    const text = await this.#directory.read(`${id}.yaml`);
    if (text === undefined) return undefined;
    const read = await this.#readInputs(id);
    if (read === undefined) return undefined;
    if (sha256(text) !== read.textSha256) {
      await this.#directory.setAside(`${id}.yaml`, "the merged text is not the one that was written");
      return undefined;
    }
    return { id, text: new TextDecoder().decode(text), inputs: read.inputs };
  }

  /** What a snapshot was, or is to be, made from. */
  async loadInputs(id: string): Promise<ConfigurationInputs | undefined> {
    return (await this.#readInputs(id))?.inputs;
  }

  async #readInputs(id: string): Promise<{ inputs: ConfigurationInputs; textSha256: string } | undefined> {
    const data = await this.#directory.read(`${id}.json`);
    if (data === undefined) return undefined;
    try {
      const file = inputsSchema.parse(JSON.parse(new TextDecoder().decode(data)));
      const { remote, own_telemetry } = file;
      const inputs = {
        remote: remote === null ? undefined : fromBinary(AgentRemoteConfigSchema, fromBase64(remote)),
        ownTelemetry:
          own_telemetry === null
            ? undefined
            : fromBinary(ConnectionSettingsOffersSchema, fromBase64(own_telemetry)),
        localFiles: file.local_files,
        packages: file.packages,
      };
      return { inputs, textSha256: file.text_sha256 };
    } catch (error) {
      await this.#directory.setAside(`${id}.json`, error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** Deletes every snapshot but those named, and the certificates and keys that none of them needs. */
  async keepOnly(ids: ReadonlySet<string>): Promise<void> {
    const names = await this.#directory.list();
    for (const name of names) {
      const id = /^([0-9a-f]+)\.(?:json|yaml)$/.exec(name)?.[1];
      if (id !== undefined && !ids.has(id)) await this.#directory.remove(name);
    }
    const pems = names.filter((name) => /^[0-9a-f]{64}\.pem$/.test(name));
    if (pems.length === 0) return;
    const texts = await Promise.all([...ids].map((id) => this.#directory.read(`${id}.yaml`)));
    const kept = texts.map((text) => new TextDecoder().decode(text));
    for (const pem of pems) {
      if (!kept.some((text) => text.includes(pem))) await this.#directory.remove(pem);
    }
  }
}

/** The file that holds a PEM text. */
export const pemName = (pem: string) => `${sha256(pem)}.pem`;

const sha256 = (data: string | Uint8Array) => createHash("sha256").update(data).digest("hex");
const toBase64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
const fromBase64 = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
