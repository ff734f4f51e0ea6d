import { create, toBinary } from "@bufbuild/protobuf";
import { type AgentRemoteConfig, type ServerToAgent, ServerToAgentSchema } from "../messages.ts";

/** Bytes of the field `remote_config`, by the message in it: the same one goes to thousands of Agents. */
const encodedConfigs = new WeakMap<AgentRemoteConfig, Uint8Array>();

/** The message after so many bytes of `header`, which are 0. A `remoteConfig` must not change once it was sent. */
export function encodeServerToAgent(message: ServerToAgent, header: 0 | 1): Uint8Array {
  const { remoteConfig, ...others } = message;
  const part = remoteConfig === undefined ? new Uint8Array() : encodedConfig(remoteConfig);
  const rest = toBinary(
    ServerToAgentSchema,
    remoteConfig === undefined ? message : create(ServerToAgentSchema, others),
  );
  const frame = new Uint8Array(header + rest.length + part.length);
  frame.set(rest, header);
  // Protobuf messages can be joined end to end.
  frame.set(part, header + rest.length);
  return frame;
}

function encodedConfig(remoteConfig: AgentRemoteConfig): Uint8Array {
  const known = encodedConfigs.get(remoteConfig);
  if (known !== undefined) return known;
  const bytes = toBinary(ServerToAgentSchema, create(ServerToAgentSchema, { remoteConfig }));
  encodedConfigs.set(remoteConfig, bytes);
  return bytes;
}
