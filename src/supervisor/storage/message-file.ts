import { fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { describeError } from "../../foundation/errors.ts";
import type { StateDirectory } from "./state-directory.ts";

/** Files of the reference that hold one protobuf message each. */
export const remoteConfigFile = "last_recv_remote_config.dat";
export const ownTelemetryFile = "last_recv_own_telemetry_config.dat";
/** Ours: the remote configuration that this host could not take yet and tries again. */
export const waitingRemoteFile = "waiting_remote_config.dat";
/** Ours: a ServerToAgent with the packages that were offered last, and the configuration that came with them. */
export const packagesFile = "last_recv_packages.dat";

/** undefined when there is no such file or a damaged one, which is set aside. */
export async function loadMessage<T extends Message>(
  directory: Pick<StateDirectory, "read" | "setAside">,
  name: string,
  schema: GenMessage<T>,
): Promise<T | undefined> {
  const data = await directory.read(name);
  if (data === undefined) return undefined;
  try {
    if (data.length === 0) throw new Error("the file is empty");
    return fromBinary(schema, data) as T;
  } catch (error) {
    await directory.setAside(name, describeError(error));
    return undefined;
  }
}

export async function saveMessage<T extends Message>(
  directory: StateDirectory,
  name: string,
  schema: GenMessage<T>,
  message: T,
): Promise<void> {
  await directory.writeInTheEnd(name, toBinary(schema, message));
}
