import { createHash, randomUUID, X509Certificate } from "node:crypto";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { formatInstanceUid, parseInstanceUid } from "../../opamp/instance-uid.ts";
import type { AgentIdentity } from "../access/agents.ts";
import type { ServerEvents } from "../events.ts";
import type { Authority } from "./authority.ts";
import type { CertificateRequestRow, CertificateRow, CertificateRows } from "./certificate-rows.ts";

/** A certificate that was issued here. */
export type IssuedCertificate = CertificateRow & { pem: string };

/** What became of a request. */
export type RequestResult =
  | { t: "issued"; certificate: IssuedCertificate }
  /** A person has to decide. */
  | { t: "pending" }
  | { t: "refused"; reason: string }
  | { t: "later"; reason: string };

export interface RequestedBy {
  identity: AgentIdentity;
  /** In canonical form. */
  instanceUid: string;
  remoteAddress: string;
}

export interface IssuingOptions {
  authority: Authority;
  rows: CertificateRows;
  approval: "automatic" | "manual";
  lifetimeMs: number;
  clock: Clock;
  log: Logger;
  events: ServerEvents;
}

const maxRequestBytes = 16 * 1024;
/** More would only be there to fill the database. */
const maxPending = 1000;
/** Good ones that one Agent may have at a time. */
const maxGood = 20;

/** Decides on requests for certificates, by rule or by what a person says, and issues them (SN6-SN9). */
export class Issuing {
  readonly #options: IssuingOptions;

  constructor(options: IssuingOptions) {
    this.#options = options;
  }

  /** Answers a request in PEM. One that is sent again gets the same answer. */
  async request(csr: Uint8Array, by: RequestedBy): Promise<RequestResult> {
    const { rows, clock } = this.#options;
    const text = Buffer.from(csr).toString("utf8");
    const hash = createHash("sha256").update(csr).digest("hex");
    const { instanceUid } = by;
    const read = await readRequest(text, csr.length);
    if ("wrong" in read) return { t: "refused", reason: read.wrong };
    const stranger = read.uids.find((uid) => uid !== instanceUid);
    if (stranger !== undefined) {
      return { t: "refused", reason: `it names instance UID ${stranger}, and comes from ${instanceUid}` };
    }
    const good = await rows.goodOf(instanceUid, clock.now());
    const same = good.find((each) => each.request_hash === hash && each.used_at === null);
    if (same?.pem) return { t: "issued", certificate: { ...same, pem: same.pem } };
    const decided = await rows.requestOf(instanceUid, hash);
    if (decided?.state === "pending") return { t: "pending" };
    if (decided?.state === "refused") return { t: "refused", reason: decided.reason ?? "it was refused" };
    if (good.length >= maxGood)
      return { t: "later", reason: `it has ${good.length} good certificates already` };
    const cause = this.#obstacle(by, read.uids, good);
    if (cause === undefined) return await this.#issue(instanceUid, read.publicKey, hash);
    return await this.#wait({ csr: text, csr_hash: hash, cause }, by);
  }

  /** A certificate like this one, for the same key, with a new lifetime. */
  async renew({ pem, instance_uid }: CertificateRow): Promise<RequestResult> {
    if (pem === null || instance_uid === null) return { t: "refused", reason: "it was not issued here" };
    const { publicKey } = new X509Certificate(pem);
    return await this.#issue(instance_uid, publicKey.export({ type: "spki", format: "der" }), null);
  }

  /** Issues what a person has approved; undefined when somebody has decided already. */
  async approve(
    request: CertificateRequestRow,
    by: string,
    reason: string,
  ): Promise<RequestResult | undefined> {
    const read = await readRequest(request.csr, request.csr.length);
    if ("wrong" in read) return { t: "refused", reason: read.wrong };
    if (!(await this.#decide(request, "approved", by, reason))) return undefined;
    return await this.#issue(request.instance_uid, read.publicKey, request.csr_hash);
  }

  /** False when somebody has decided already. */
  async refuse(request: CertificateRequestRow, by: string, reason: string): Promise<boolean> {
    return await this.#decide(request, "refused", by, reason);
  }

  async #decide({ id }: CertificateRequestRow, state: "approved" | "refused", by: string, reason: string) {
    const { rows, clock } = this.#options;
    return await rows.decide(id, { state, decided_at: clock.now(), decided_by: by, reason });
  }

  /** Why a person has to decide; undefined: nobody. */
  #obstacle(
    { identity, instanceUid }: RequestedBy,
    uids: readonly string[],
    good: readonly CertificateRow[],
  ) {
    if (this.#options.approval === "manual")
      return "every request is decided by hand (certificates.approval)";
    if (identity.by === "nothing") return "the agent came without a credential";
    if (!uids.includes(instanceUid)) return "the request does not name its instance UID";
    // A key that many share must not be enough to take over another agent's name.
    const held = good.some(({ used_at }) => used_at !== null);
    if (identity.uid === undefined && held) return "another certificate of this instance UID is in use";
    return undefined;
  }

  async #wait(
    request: Pick<CertificateRequestRow, "csr" | "csr_hash" | "cause">,
    { instanceUid, remoteAddress }: RequestedBy,
  ): Promise<RequestResult> {
    const { rows, clock, log, events } = this.#options;
    if ((await rows.countPending()) >= maxPending) {
      return { t: "later", reason: "too many requests wait for a decision" };
    }
    const id = randomUUID();
    await rows.addRequest({
      ...request,
      id,
      instance_uid: instanceUid,
      remote_address: remoteAddress,
      requested_at: clock.now(),
      state: "pending",
      decided_at: null,
      decided_by: null,
      reason: null,
    });
    const { cause } = request;
    log.info(
      { event: "certificate_pending", agent_id: instanceUid, request: id, cause },
      "a person has to decide",
    );
    events.publish({ type: "certificate.requested", agent_id: instanceUid, request: id, cause });
    return { t: "pending" };
  }

  async #issue(instanceUid: string, publicKey: Buffer, requestHash: string | null): Promise<RequestResult> {
    const { authority, rows, clock, lifetimeMs, log, events } = this.#options;
    let pem: string;
    try {
      pem = await authority.issue(instanceUid, publicKey, lifetimeMs);
    } catch (error) {
      log.error(
        { event: "certificate_not_issued", agent_id: instanceUid, error: describeError(error) },
        "not issued",
      );
      return { t: "refused", reason: `it could not be issued: ${describeError(error)}` };
    }
    const { fingerprint256, serialNumber, validTo } = new X509Certificate(pem);
    const row = await rows.add({
      fingerprint: fingerprintOf(fingerprint256),
      serial: serialNumber.toLowerCase(),
      instance_uid: instanceUid,
      origin: "issued",
      request_hash: requestHash,
      pem,
      created_at: clock.now(),
      expires_at: Date.parse(validTo),
    });
    log.info(
      { event: "certificate_issued", agent_id: instanceUid, serial: row.serial, valid_until: validTo },
      "an agent has a new certificate",
    );
    events.publish({ type: "certificate.issued", agent_id: instanceUid, serial: row.serial });
    return { t: "issued", certificate: { ...row, pem } };
  }
}

/** As credentials are known here: lower-case hexadecimal. */
function fingerprintOf(fingerprint256: string): string {
  return fingerprint256.replaceAll(":", "").toLowerCase();
}

async function readRequest(text: string, bytes: number) {
  if (bytes > maxRequestBytes) return { wrong: `it is longer than ${maxRequestBytes} bytes` };
  try {
    const { readSigningRequest } = await import("./x509.ts");
    const { names, publicKey } = await readSigningRequest(text);
    const uids = names.flatMap((name) => {
      const uid = parseInstanceUid(name);
      return uid === undefined ? [] : [formatInstanceUid(uid)];
    });
    return { uids, publicKey };
  } catch (error) {
    return { wrong: describeError(error) };
  }
}
