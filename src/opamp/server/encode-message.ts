import { create, toBinary } from "@bufbuild/protobuf";
import { type AgentRemoteConfig, type ServerToAgent, ServerToAgentSchema } from "../messages.ts";

/** Bytes of the field `remote_config`, by the message in it: the same one goes to thousands of Agents. */
const encodedConfigs = new WeakMap<AgentRemoteConfig, Uint8Array>();

/** The message after so many bytes of `header`, which are 0. A `remoteConfig` must not change once it was sent. */
export function encodeServerToAgent(message: ServerToAgent, header: 0 | 1): Uint8Array {
  const { remoteConfig, ...others } = message;
  const rest = isBare(others) ? encodedUid(others.instanceUid) : toBinary(ServerToAgentSchema, others);
  const part = remoteConfig === undefined ? new Uint8Array() : encodedConfig(remoteConfig);
  const frame = new Uint8Array(header + rest.length + part.length);
  frame.set(rest, header);
  // Protobuf messages can be joined end to end.
  frame.set(part, header + rest.length);
  return frame;
}

/** Whether it names its Agent and says nothing else, as almost every answer does: a writer for it is most of its cost. */
function isBare(message: ServerToAgent): boolean {
  const { length } = message.instanceUid;
  return (
    length > 0 &&
    length < 0x80 &&
    Object.entries(message).every(
      ([key, value]) => key === "$typeName" || key === "instanceUid" || value === undefined || value === 0n,
    )
  );
}

/** Field 1, `instance_uid`, length-delimited. */
function encodedUid(instanceUid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + instanceUid.length);
  bytes.set([0x0a, instanceUid.length]);
  bytes.set(instanceUid, 2);
  return bytes;
}

function encodedConfig(remoteConfig: AgentRemoteConfig): Uint8Array {
  const known = encodedConfigs.get(remoteConfig);
  if (known !== undefined) return known;
  const bytes = toBinary(ServerToAgentSchema, create(ServerToAgentSchema, { remoteConfig }));
  encodedConfigs.set(remoteConfig, bytes);
  return bytes;
}
