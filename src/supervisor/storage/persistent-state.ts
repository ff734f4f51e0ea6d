import { create } from "@bufbuild/protobuf";
import { parse, stringify } from "yaml";
import * as z from "zod/mini";
import { firstLine } from "../../foundation/first-line.ts";
import { toHex } from "../../foundation/hex.ts";
import { formatInstanceUid, isUsableInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import { type RemoteConfigStatus, RemoteConfigStatusSchema } from "../../opamp/messages.ts";
import type { StateDirectory } from "./state-directory.ts";

/** The file's name and format are the reference's, so that one supervisor can follow the other. */
const fileName = "persistent_state.yaml";

const schema = z.object({
  instance_id: z.string(),
  last_remote_config_status: z.optional(
    z.nullable(
      z.object({
        status: z.optional(z.number()),
        last_remote_config_hash: z.optional(z.string()),
        error_message: z.optional(z.string()),
      }),
    ),
  ),
});

/** What both supervisors remember: who the agent is, and the verdict on the last remote configuration. */
export interface PersistentState {
  instanceUid: Uint8Array;
  remoteConfigStatus: RemoteConfigStatus;
}

/** Reads it; undefined when there is none or a damaged one, which is set aside. */
export async function loadPersistentState(
  directory: Pick<StateDirectory, "read" | "setAside">,
): Promise<PersistentState | undefined> {
  const data = await directory.read(fileName);
  if (data === undefined) return undefined;
  try {
    const file = schema.parse(
      parse(new TextDecoder("utf-8", { fatal: true }).decode(data), { maxAliasCount: 0 }),
    );
    const instanceUid = parseInstanceUid(file.instance_id);
    if (instanceUid === undefined || !isUsableInstanceUid(instanceUid))
      throw new Error("instance_id is not a UUID");
    const { status, last_remote_config_hash, error_message } = file.last_remote_config_status ?? {};
    const remoteConfigStatus = create(RemoteConfigStatusSchema, {
      status: status !== undefined && status >= 0 && status <= 3 ? status : 0,
      lastRemoteConfigHash: new Uint8Array(Buffer.from(last_remote_config_hash ?? "", "hex")),
      errorMessage: error_message ?? "",
    });
    return { instanceUid, remoteConfigStatus };
  } catch (error) {
    await directory.setAside(fileName, error instanceof Error ? firstLine(error.message) : String(error));
    return undefined;
  }
}

export async function savePersistentState(directory: StateDirectory, state: PersistentState): Promise<void> {
  const { status, lastRemoteConfigHash, errorMessage } = state.remoteConfigStatus;
  const text = stringify({
    instance_id: formatInstanceUid(state.instanceUid),
    last_remote_config_status: {
      status,
      last_remote_config_hash: toHex(lastRemoteConfigHash),
      error_message: errorMessage,
    },
  });
  await directory.writeInTheEnd(fileName, text);
}
