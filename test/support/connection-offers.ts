import type { MessageInitShape } from "@bufbuild/protobuf";
import { ConnectionSettingsStatuses, type OpAMPConnectionSettingsSchema } from "../../src/opamp/messages.ts";
import type { RecordingOpampServer, ServerSays } from "./recording-opamp-server.ts";

export type OpampOffer = Extract<
  MessageInitShape<typeof OpAMPConnectionSettingsSchema>,
  { readonly $typeName?: never }
>;

/** An offer of OpAMP connection settings, told from others by its number. */
export function offerOf(number: number, opamp: OpampOffer): ServerSays {
  return { connectionSettings: { hash: new Uint8Array([number, 1]), opamp } };
}

export function endpointOf(port: number, scheme: "ws" | "wss" | "http" | "https" = "ws"): OpampOffer {
  return { destinationEndpoint: `${scheme}://127.0.0.1:${port}/v1/opamp` };
}

export function headersOf(headers: Record<string, string>): OpampOffer {
  return { headers: { headers: Object.entries(headers).map(([key, value]) => ({ key, value })) } };
}

/** The statuses that a server saw of an offer from `from` on, without repetitions. */
export function statusesOf(server: RecordingOpampServer, number: number, from = 0): string[] {
  const statuses = server.received.slice(from).flatMap(({ message: { connectionSettingsStatus } }) => {
    if (connectionSettingsStatus?.lastConnectionSettingsHash[0] !== number) return [];
    const name = ConnectionSettingsStatuses[connectionSettingsStatus.status];
    return [name.replace("ConnectionSettingsStatuses_", "")];
  });
  return statuses.filter((status, index) => status !== statuses[index - 1]);
}

/** Resolves when a server sees APPLIED or FAILED of an offer, to the reason that it gives. */
export async function verdictOn(server: RecordingOpampServer, number: number, from = 0): Promise<string> {
  const isVerdict = (status: ConnectionSettingsStatuses) =>
    status !== ConnectionSettingsStatuses.ConnectionSettingsStatuses_APPLYING;
  const { errorMessage } = await server.reported(
    "connectionSettingsStatus",
    ({ status, lastConnectionSettingsHash: hash }) => hash[0] === number && isVerdict(status),
    from,
  );
  return errorMessage;
}

/** Resolves when a server got a message with this header. */
export function sawHeader(server: RecordingOpampServer, name: string, value: string, from = 0) {
  return server.until(`a message with ${name}: ${value}`, () =>
    server.received.slice(from).find(({ headers }) => headers[name] === value),
  );
}
