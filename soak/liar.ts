import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServerToAgentSchema } from "../src/opamp/messages.ts";
import { type Reply, ScriptedOpampServer } from "../test/support/scripted-opamp-server.ts";
import type { Random } from "./random.ts";

type Says = MessageInitShape<typeof ServerToAgentSchema>;

const text = (body: string) => ({ body: new TextEncoder().encode(body) });
const config = (hash: string, body: string): Says => ({
  remoteConfig: {
    configHash: new TextEncoder().encode(hash),
    config: { configMap: { "": text(body) } },
  },
});

/** What a server never ought to say, or what nobody could run. */
const lies: readonly Reply[] = [
  "silence",
  "drop",
  { text: "this is no protocol buffer" },
  { bytes: new Uint8Array([0, 0xff, 0xff, 0xff, 0xff, 0xff]) },
  { bytes: new Uint8Array([7, 1, 2, 3]) },
  { message: { instanceUid: new Uint8Array(16).fill(9), ...config("another's", "receivers: {}") } },
  { message: config("not yaml", "receivers: [") },
  { message: config("no such component", "receivers: {nosuch: {}}\nservice: {pipelines: {}}") },
  { message: config("", "receivers: {nosuch: {}}") },
  { message: { errorResponse: { type: 2, errorMessage: "busy" } } },
  { message: { flags: 1n } },
  {
    message: {
      connectionSettings: {
        hash: new Uint8Array([1]),
        opamp: { destinationEndpoint: "ws://127.0.0.1:9/nowhere" },
      },
    },
  },
  {
    message: {
      packagesAvailable: {
        allPackagesHash: new Uint8Array([1]),
        packages: {
          otelcol: {
            version: "9.9.9",
            hash: new Uint8Array([2]),
            file: { downloadUrl: "http://127.0.0.1:9/none", contentHash: new Uint8Array(32) },
          },
        },
      },
    },
  },
];

/** An OpAMP server that says anything. */
export async function startLiar(random: Random): Promise<{ port: number; stop(): Promise<void> }> {
  const server = await ScriptedOpampServer.start();
  server.reply = () => random.pick(lies);
  return { port: Number(server.url("ws").port), stop: () => server.stop() };
}
