import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { ApiClient } from "../../../../src/cli/ctl/api-client.ts";
import { certificatesCommand } from "../../../../src/cli/ctl/certificates.ts";
import { type CtlContext, parseCtlCall } from "../../../../src/cli/ctl/ctl-command.ts";
import { AgentCapability, ServerCapability } from "../../../../src/opamp/bits.ts";
import { formatInstanceUid, newInstanceUid } from "../../../../src/opamp/instance-uid.ts";
import type { ServerToAgent } from "../../../../src/opamp/messages.ts";
import { signingRequest } from "../../../../src/supervisor/connection/certificate/signing-request.ts";
import { RawWebSocketAgent, usualCapabilities } from "../../../support/raw-agent.ts";
import { TestAuthority } from "../../../support/test-authority.ts";
import { startTestServer, type TestServer, testSettings } from "../test-server.ts";

const day = 86_400_000;

/** A server that issues certificates, and lets Agents in without one. */
async function issuer(approval: "automatic" | "manual") {
  const listener = await TestAuthority.create("servers");
  const { cert, key } = await listener.issue({ name: "server" });
  const tls = {
    certificate: { pem: cert },
    key: { pem: key },
    clientCa: undefined,
    minVersion: "1.3" as const,
  };
  const online = await startTestServer({
    opamp: { ...testSettings.opamp, tls },
    certificates: { ...testSettings.certificates, authority: { t: "own" }, approval },
  });
  const uid = newInstanceUid(Date.now());
  const capabilities = usualCapabilities | AgentCapability.AcceptsOpAMPConnectionSettings;
  const options = { uid, capabilities, tls: { ca: listener.cert } };
  const { agent, answer } = await RawWebSocketAgent.join(online.server.opampUrl, options);
  onTestFinished(() => agent.socket.terminate());
  return { online, agent, answer, id: formatInstanceUid(uid) };
}

const request = (privateKey: KeyObject, name: string) => ({
  connectionSettingsRequest: {
    opamp: { certificateRequest: { csr: Buffer.from(signingRequest(privateKey, name)) } },
  },
});

const newKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

const certificateOf = ({ connectionSettings }: ServerToAgent) =>
  new X509Certificate(Buffer.from(connectionSettings?.opamp?.certificate?.cert ?? []));

async function ctl({ server, clock }: TestServer, ...args: string[]) {
  const printed: string[] = [];
  const none = { token: undefined, ca: undefined, cert: undefined, key: undefined };
  const context: CtlContext = {
    api: new ApiClient({ server: server.managementUrl, ...none }),
    json: false,
    print: (line) => void printed.push(line),
    warn: (line) => void printed.push(line),
    now: () => clock.now(),
    readFile: async () => new Uint8Array(),
  };
  expect(await certificatesCommand.run(context, parseCtlCall(args, certificatesCommand.options ?? {}))).toBe(
    0,
  );
  return printed.map((line) => line.split(/ {2,}/));
}

describe("an Agent that asks for a certificate", () => {
  it("SN5 SN8 SN9 is offered it by a person's word: complete, and without a private key", async () => {
    const { online, agent, answer, id } = await issuer("manual");
    expect(answer.capabilities & ServerCapability.AcceptsConnectionSettingsRequest).not.toBe(0n);
    const key = newKey();
    expect((await agent.exchange(request(key, id))).connectionSettings).toBeUndefined();
    const [, waiting] = await ctl(online, "requests");
    expect(waiting?.slice(1, 3)).toEqual([id, "127.0.0.1"]);
    await ctl(online, "approve", waiting?.[0] ?? "", "--reason", "known");
    const offer = await agent.receive();
    const { opamp, hash } = offer.connectionSettings!;
    expect(opamp).toMatchObject({
      destinationEndpoint: online.server.opampUrl.href,
      heartbeatIntervalSeconds: 30n,
    });
    expect(opamp?.certificate?.privateKey).toHaveLength(0);
    const certificate = certificateOf(offer);
    expect(certificate.checkPrivateKey(key)).toBe(true);
    const authority = new X509Certificate(Buffer.from(opamp?.certificate?.caCert ?? []));
    expect(certificate.verify(authority.publicKey)).toBe(true);
    expect(Buffer.from(hash).toString("hex")).toBe(
      certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    );
    const serial = certificate.serialNumber.toLowerCase();
    const [, listed] = await ctl(online);
    expect(listed?.slice(0, 4)).toEqual([serial, id, "issued", "issued"]);
    await ctl(online, "revoke", serial, "--reason", "lost");
    expect((await ctl(online, "--state", "revoked"))[1]?.[0]).toBe(serial);
  });

  it("SN6 SN7 is told what is wrong with a request", async () => {
    const { agent } = await issuer("manual");
    const stranger = formatInstanceUid(newInstanceUid(1));
    const { errorResponse } = await agent.exchange(request(newKey(), stranger));
    expect(errorResponse?.type).toBe(1);
    expect(errorResponse?.errorMessage).toContain(`it names instance UID ${stranger}`);
  });

  it("is offered a new one for the same key before the first ends, when it does not ask itself", async () => {
    const { online, agent, id } = await issuer("manual");
    const key = newKey();
    await agent.exchange(request(key, id));
    const [, waiting] = await ctl(online, "requests");
    await ctl(online, "approve", waiting?.[0] ?? "", "--reason", "known");
    const first = certificateOf(await agent.receive());
    online.clock.jump(84 * day);
    online.clock.advance(4_000);
    const second = certificateOf(await agent.receive());
    expect(second.checkPrivateKey(key)).toBe(true);
    expect(second.serialNumber).not.toBe(first.serialNumber);
    expect(Date.parse(second.validTo)).toBe(Date.parse(first.validTo) + 84 * day + 4_000);
    const [, ...listed] = await ctl(online);
    expect(listed.slice(0, 2).map(([serial]) => serial)).toEqual([
      first.serialNumber.toLowerCase(),
      second.serialNumber.toLowerCase(),
    ]);
    expect(listed.at(-1)?.[0]).toContain(`without a successor: ${id}`);
  });
});
