import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import type { Clock, Timer } from "../../../foundation/clock.ts";
import type { ClientTls } from "../../../opamp/agent/settings.ts";
import type { Overrides } from "../connection-record.ts";

/** One that the Collector shows, by the field of the offer that it came by. */
export type CollectorCertificateUse =
  | "own_metrics"
  | "own_traces"
  | "own_logs"
  | `other_connections.${string}`;

/**
 * A certificate of the connection to the server: the one that this host shows, the authority that its server is
 * checked by, or the one that came by an offer and is kept. Or one that the Collector shows.
 */
export type CertificateUse = "client" | "authority" | "kept" | CollectorCertificateUse;

export interface WatchedCertificate {
  use: CertificateUse;
  /** Milliseconds since the Unix epoch. */
  validFrom: number;
  validUntil: number;
  /** Milliseconds before its end from which on somebody should know. */
  noticeMs: number;
}

interface WatchDeps {
  clock: Clock;
  /** Those of the connection in use. */
  read: () => { tls: ClientTls | undefined; kept: Overrides["certificate"] };
  /** Those that the Collector was given, in PEM. */
  readCollector?: () => ReadonlyMap<CollectorCertificateUse, string>;
  /** Other things are to be said of the certificates than before. */
  changed: () => void;
}

const dayMs = 24 * 3_600_000;
/** Time for somebody to fetch a new one. */
const longestNoticeMs = 14 * dayMs;
/** Also where nothing happens a certificate comes nearer to its end. */
const reviewMs = 3_600_000;

/** Knows when the certificates of the connection to the server, and of those that the server gave the Collector, end. */
export class CertificateWatch {
  readonly #deps: WatchDeps;
  #certificates: readonly WatchedCertificate[] = [];
  #said = "";
  #timer: Timer | undefined;
  #stopped = false;

  constructor(deps: WatchDeps) {
    this.#deps = deps;
  }

  get certificates(): readonly WatchedCertificate[] {
    return this.#certificates;
  }

  /** What somebody should do something about. */
  get concerns(): readonly string[] {
    const now = this.#deps.clock.now();
    return this.#certificates.flatMap((certificate) => concernOf(certificate, now) ?? []);
  }

  /** Looks at those in use: at the start, and when another connection may be in use. */
  review(): void {
    if (this.#stopped) return;
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.setTimer(reviewMs, () => this.review());
    const { tls, kept } = this.#deps.read();
    this.#certificates = [
      ...clientOf(tls?.cert, kept),
      ...authorityOf(tls?.ca, this.#deps.clock.now()),
      ...(kept === undefined ? [] : describe("kept", kept.cert, kept.own)),
      ...[...(this.#deps.readCollector?.() ?? [])].flatMap(([use, pem]) => describe(use, pem, false)),
    ];
    const said = this.concerns.join();
    if (said === this.#said) return;
    this.#said = said;
    this.#deps.changed();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }
}

function clientOf(cert: ClientTls["cert"], kept: Overrides["certificate"]): WatchedCertificate[] {
  const [pem] = texts(cert);
  return pem === undefined ? [] : describe("client", pem, kept?.own === true && kept.cert === pem);
}

/**
 * Of several authorities, as while one follows the other, the one that ends next. The system's are not this
 * host's to renew.
 */
function authorityOf(ca: ClientTls["ca"], now: number): WatchedCertificate[] {
  const given = texts(ca);
  // Asking for the system's costs memory, and one alone is never the system's.
  const own = given.length > 1 ? given.filter((pem) => !rootCertificates.includes(pem)) : given;
  const all = own.flatMap(blocksOf).flatMap((pem) => describe("authority", pem, false));
  const byEnd = all.toSorted((a, b) => a.validUntil - b.validUntil);
  const next = byEnd.find(({ validUntil }) => validUntil > now) ?? byEnd.at(-1);
  return next === undefined ? [] : [next];
}

/** `renews`: this host sees to a new one itself, so that only one that is late is worth a word. */
function describe(use: CertificateUse, pem: string, renews: boolean): WatchedCertificate[] {
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    const [from, until] = [Date.parse(validFrom), Date.parse(validTo)];
    const noticeMs = Math.min(renews ? longestNoticeMs / 4 : longestNoticeMs, (until - from) / 6);
    return [{ use, validFrom: from, validUntil: until, noticeMs }];
  } catch {
    // Whoever connects with it says what is wrong with it.
    return [];
  }
}

const names: Readonly<Record<string, string>> = {
  client: "the client certificate",
  authority: "the authority of the server's certificate",
  kept: "the certificate that the server gave this host",
};

function concernOf({ use, validFrom, validUntil, noticeMs }: WatchedCertificate, now: number) {
  const name = names[use] ?? `the certificate of ${use}`;
  if (now > validUntil) return `${name} expired at ${isoTime(validUntil)}`;
  if (now > validUntil - noticeMs) return `${name} expires at ${isoTime(validUntil)}`;
  if (now < validFrom) {
    return `${name} is not valid before ${isoTime(validFrom)}, and the clock of this host says ${isoTime(now)}`;
  }
  return undefined;
}

const isoTime = (ms: number) => new Date(ms).toISOString();

function texts(pem: ClientTls["ca"]): string[] {
  return pem === undefined ? [] : [pem].flat().map(String);
}

function blocksOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}
