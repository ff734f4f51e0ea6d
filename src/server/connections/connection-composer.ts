import { AgentCapability, hasBits } from "../../opamp/bits.ts";
import type { ReadSecret } from "../configurations/secret-reference.ts";
import type { Composer, OfferPart } from "../offers/lane.ts";
import { type ConnectionOffer, type ConnectionSettings, fillIn } from "./connection-settings.ts";

export interface ConnectionComposerOptions {
  readSecret: ReadSecret;
  /** Of offered OpAMP settings that name none. */
  heartbeatIntervalMs: number;
}

type Offers = Exclude<NonNullable<OfferPart["connectionSettings"]>, { $typeName: unknown }>;

/** Makes offers of connections: every class that the Agent takes (SN1), complete (SN5), under one hash. */
export function connectionComposer(options: ConnectionComposerOptions): Composer<ConnectionOffer> {
  return {
    compose({ settings, hash }, _connection, agent) {
      const taken = takenBy(agent.state.capabilities, settings);
      if (Object.values(taken).every((each) => each === undefined)) {
        return { impossible: "takes none of the connections that are offered" };
      }
      const problems: string[] = [];
      const fill = (text: string) =>
        fillIn(text, (name) => {
          const secret = options.readSecret(name);
          if ("text" in secret) return secret.text;
          problems.push(secret.problem);
          return "";
        });
      const connectionSettings = { hash, ...offersOf(taken, fill, options.heartbeatIntervalMs) };
      const [problem] = problems;
      return problem === undefined ? { part: { connectionSettings } } : { impossible: problem };
    },
  };
}

const bits = {
  opamp: AgentCapability.AcceptsOpAMPConnectionSettings,
  own_metrics: AgentCapability.ReportsOwnMetrics,
  own_traces: AgentCapability.ReportsOwnTraces,
  own_logs: AgentCapability.ReportsOwnLogs,
  other_connections: AgentCapability.AcceptsOtherConnectionSettings,
} as const satisfies Record<keyof ConnectionSettings, bigint>;

/** An Agent that has one of these takes something. */
export const connectionBits = Object.values(bits);

function takenBy(capabilities: bigint, settings: ConnectionSettings): ConnectionSettings {
  const taken = Object.entries(settings).filter(([name]) =>
    hasBits(capabilities, bits[name as keyof ConnectionSettings]),
  );
  return Object.fromEntries(taken);
}

type Fill = (text: string) => string;

function offersOf(
  settings: ConnectionSettings,
  fill: Fill,
  heartbeatIntervalMs: number,
): Omit<Offers, "hash"> {
  const { opamp, other_connections, own_logs, own_metrics, own_traces } = settings;
  const optional = <T>(each: T | undefined, make: (each: T) => object) =>
    each === undefined ? undefined : make(each);
  const offers = {
    opamp: optional(opamp, (each) => ({
      ...destinationOf(each, fill),
      heartbeatIntervalSeconds: BigInt(
        each.heartbeat_interval_seconds ?? Math.max(1, Math.round(heartbeatIntervalMs / 1000)),
      ),
    })),
    ownMetrics: optional(own_metrics, (each) => destinationOf(each, fill)),
    ownTraces: optional(own_traces, (each) => destinationOf(each, fill)),
    ownLogs: optional(own_logs, (each) => destinationOf(each, fill)),
    otherConnections: Object.fromEntries(
      Object.entries(other_connections ?? {}).map(([name, each]) => {
        const otherSettings = Object.entries(each.other_settings).map(([key, text]) => [key, fill(text)]);
        return [name, { ...destinationOf(each, fill), otherSettings: Object.fromEntries(otherSettings) }];
      }),
    ),
  };
  return Object.fromEntries(Object.entries(offers).filter(([, each]) => each !== undefined));
}

function destinationOf(
  { certificate, destination_endpoint, headers, tls }: NonNullable<ConnectionSettings["own_logs"]>,
  fill: Fill,
) {
  return {
    destinationEndpoint: destination_endpoint,
    headers: { headers: Object.entries(headers).map(([key, value]) => ({ key, value: fill(value) })) },
    ...(certificate && {
      certificate: {
        cert: Buffer.from(certificate.cert),
        privateKey: Buffer.from(fill(certificate.private_key)),
        caCert: Buffer.from(certificate.ca_cert),
      },
    }),
    ...(tls && {
      tls: {
        caPemContents: tls.ca_pem_contents,
        includeSystemCaCertsPool: tls.include_system_ca_certs_pool,
        insecureSkipVerify: tls.insecure_skip_verify,
        minVersion: tls.min_version,
        maxVersion: tls.max_version,
        cipherSuites: tls.cipher_suites,
      },
    }),
  };
}
