// Stands in for a Collector one of whose components is down for good, which no component of the tests' Collector
// ever reports: dials its supervisor as the opamp extension does, is healthy, and after a while says otherwise.
// Arguments: --config FILE; the file's service.telemetry.resource says what (`sick`) and when (`after`, ms).
import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { WebSocket } from "ws";
import { parse } from "yaml";
import { encodeFrame } from "../../src/opamp/framing.ts";
import { parseInstanceUid } from "../../src/opamp/instance-uid.ts";
import { AgentToServerSchema } from "../../src/opamp/messages.ts";

interface Configuration {
  extensions: {
    opamp: { instance_uid: string; server: { ws: { endpoint: string; headers: Record<string, string> } } };
  };
  service: { telemetry: { resource: { sick: string; after: number } } };
}

const path = process.argv[process.argv.indexOf("--config") + 1] ?? "";
const text = readFileSync(path, "utf8");
/** As the extension says it. */
const redacted = text.replace(/Authorization: .*/, "Authorization: '[REDACTED]'");
const { extensions, service } = parse(text) as Configuration;
const { endpoint, headers } = extensions.opamp.server.ws;
const { sick, after } = service.telemetry.resource;
const instanceUid = parseInstanceUid(extensions.opamp.instance_uid) ?? new Uint8Array(16);

const link = new WebSocket(endpoint, { headers });
let sequenceNum = 0n;
const say = (status: string) => {
  const healthy = status === "StatusOK";
  const component = { healthy, status, lastError: healthy ? "" : "it is sick" };
  const health = { healthy, status, componentHealthMap: { "pipeline:logs": component } };
  const effectiveConfig = {
    configMap: { configMap: { "": { body: Buffer.from(redacted), contentType: "" } } },
  };
  const message = create(AgentToServerSchema, {
    instanceUid,
    sequenceNum,
    capabilities: 6148n,
    health,
    effectiveConfig,
  });
  sequenceNum += 1n;
  link.send(encodeFrame(AgentToServerSchema, message));
};
link.on("error", () => process.exit(1));
link.on("open", () => {
  if (after > 0) say("StatusOK");
  setTimeout(() => say(sick), after);
});
process.on("SIGTERM", () => process.exit(0));
