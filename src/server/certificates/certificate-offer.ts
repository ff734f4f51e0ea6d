import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectionSettingsOffersSchema } from "../../opamp/messages.ts";
import type { Connection } from "../fleet/agent.ts";

/** The part of a message that offers connection settings. */
export interface OfferPart {
  connectionSettings?: MessageInitShape<typeof ConnectionSettingsOffersSchema>;
}

export interface CertificateOfferOptions {
  /** Path of the OpAMP endpoint. */
  path: string;
  heartbeatIntervalMs: number;
}

/**
 * The offer that brings an Agent its certificate. It says everything that clients take for switched off when it is
 * missing (SN5): where they are, and how often they are to be heard. Headers are left as they are: the certificate
 * is the credential from now on, and repeating a token here would keep one that its owner means to renew.
 */
export function certificateOffer(
  certificate: { fingerprint: string; pem: string; authority: string },
  { headers, transport }: Pick<Connection, "headers" | "transport">,
  { path, heartbeatIntervalMs }: CertificateOfferOptions,
): OfferPart {
  const endpoint = `${transport === "websocket" ? "wss" : "https"}://${headers.host ?? ""}${path}`;
  return {
    connectionSettings: {
      hash: Buffer.from(certificate.fingerprint, "hex"),
      opamp: {
        destinationEndpoint: URL.canParse(endpoint) ? endpoint : "",
        // SN8, SN11: no private key, for the Agent has it; the authority, for a chain that can be checked.
        certificate: { cert: Buffer.from(certificate.pem), caCert: Buffer.from(certificate.authority) },
        heartbeatIntervalSeconds: BigInt(Math.max(1, Math.round(heartbeatIntervalMs / 1000))),
      },
    },
  };
}
