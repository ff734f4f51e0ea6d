import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type AgentRemoteConfig,
  AgentRemoteConfigSchema,
  ConnectionSettingsOffersSchema,
} from "../../src/opamp/messages.ts";
import { type BookContent, emptyBook, faultHash } from "../../src/supervisor/change/configuration-book.ts";
import type { ConfigurationInputs } from "../../src/supervisor/change/snapshots.ts";
import type { Merged } from "../../src/supervisor/change/workshop.ts";
import type { SimulatedDisk } from "./simulated-disk.ts";

/** A merged configuration of the simulation. Each part is a word, perhaps with a comment; "is: " before it makes it YAML. */
export interface SimulatedText {
  mark: string;
  remote: string | null;
  local: Readonly<Record<string, string>>;
  ownTelemetry: string | null;
}

/** How a configuration makes a Collector behave: the first of its parts that is not "good" decides. */
export function behaviourOf({ remote, local }: Pick<SimulatedText, "remote" | "local">): string {
  const parts = [remote ?? "good", ...Object.values(local)];
  const words = parts.map((part) => part.replace(/^is: /, "").split(" ")[0] ?? "");
  return words.find((word) => word !== "good") ?? "good";
}

export const keptFile = "last_recv_remote_config.dat";
export const keptTelemetryFile = "last_recv_own_telemetry_config.dat";

/** The remote configuration that a reference supervisor would find. */
export function keptRemote(files: ReadonlyMap<string, Uint8Array>): AgentRemoteConfig | undefined {
  const data = files.get(keptFile);
  return data && fromBinary(AgentRemoteConfigSchema, data);
}

/** The one entry of a simulated remote configuration. */
export function remoteBody(remote: AgentRemoteConfig | undefined): string | undefined {
  const entry = remote?.config?.configMap[""];
  return entry && new TextDecoder().decode(entry.body);
}

export function toMerged(mark: string, parts: Omit<SimulatedText, "mark">): Merged {
  const text: SimulatedText = { mark, ...parts };
  return {
    text: JSON.stringify(text),
    contentHash: createHash("sha256").update(JSON.stringify(parts)).digest("hex"),
    violations: behaviourOf(parts) === "restricted" ? ["exporters.file is not allowed"] : [],
  };
}

/** The inputs as `Snapshots` writes them. */
function readInputs(data: Uint8Array | undefined): ConfigurationInputs | undefined {
  if (data === undefined) return undefined;
  const file = JSON.parse(new TextDecoder().decode(data)) as {
    remote: string | null;
    own_telemetry: string | null;
    local_files: Record<string, string>;
    packages: string | null;
  };
  const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64"));
  return {
    remote: file.remote === null ? undefined : fromBinary(AgentRemoteConfigSchema, bytes(file.remote)),
    ownTelemetry:
      file.own_telemetry === null
        ? undefined
        : fromBinary(ConnectionSettingsOffersSchema, bytes(file.own_telemetry)),
    localFiles: file.local_files,
    packages: file.packages,
  };
}

/** As `findLastInputs` of `supervisor-files.ts` finds them. */
export function lastInputsOf(disk: SimulatedDisk): ConfigurationInputs {
  const { current, wayBack, quarantined } = disk.json<BookContent>("book.json", emptyBook);
  const telemetry = disk.files.get(keptTelemetryFile);
  const otherwise: ConfigurationInputs = {
    remote: current?.id === null ? keptRemote(disk.files) : undefined,
    ownTelemetry: telemetry && fromBinary(ConnectionSettingsOffersSchema, telemetry),
    localFiles: {},
    packages: current?.packages ?? null,
  };
  for (const reference of [current, ...wayBack]) {
    if (reference === null || reference.id === null || reference.role === "fallback") continue;
    const hash = faultHash(reference);
    if (reference !== current && quarantined.some((entry) => entry.hash === hash)) continue;
    const inputs = readInputs(disk.files.get(`configurations/${reference.id}.json`));
    if (inputs === undefined) continue;
    return current?.id === null ? { ...otherwise, localFiles: inputs.localFiles } : inputs;
  }
  return otherwise;
}
