import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Clock } from "../../foundation/clock.ts";
import { describeError } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { AddressList } from "./address-list.ts";
import { hashSecret, isSecret } from "./credential.ts";
import type { Identity } from "./identity.ts";
import type { ApiKeys } from "./keys.ts";
import type { Role } from "./role.ts";

/** What is known of a request before its body is read. */
export interface Caller {
  /** The `Authorization` header. */
  authorization: string | undefined;
  remoteAddress: string;
}

export type Recognized =
  | { t: "known"; identity: Identity }
  /** `reason` is for whoever asked, and gives nothing away. */
  | { t: "unknown"; reason: string }
  | { t: "kept-out"; reason: string }
  | { t: "too-many"; retryAfterSeconds: number };

export interface PeopleOptions {
  keys: ApiKeys;
  /** A file with one more key, of role admin. */
  adminKeyFile: string | undefined;
  verifyOidc: ((token: string) => Promise<Identity>) | undefined;
  /** Whether whoever reaches the listener may do everything; only right where that is this machine alone. */
  open: boolean;
  addresses: AddressList | undefined;
  addressesOf: Readonly<Record<Role, AddressList | undefined>>;
  clock: Clock;
  log: Logger;
}

/** After so many wrong credentials in a minute an address has to wait for the next. */
const maxFailures = 20;
const failureWindowMs = 60_000;

/** Tells who uses the management API. */
export class People {
  readonly #options: PeopleOptions;
  readonly #failures = new Map<string, { count: number; since: number }>();

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  async recognize({ authorization, remoteAddress }: Caller): Promise<Recognized> {
    const { addresses, addressesOf, open } = this.#options;
    if (addresses?.includes(remoteAddress) === false) {
      return { t: "kept-out", reason: "this address may not come here (access.addresses)" };
    }
    if (authorization === undefined) {
      if (open) return { t: "known", identity: { name: "anonymous", role: "admin", by: "loopback" } };
      return { t: "unknown", reason: "send an API key or a token: Authorization: Bearer ..." };
    }
    const wait = this.#waitOf(remoteAddress);
    if (wait > 0) return { t: "too-many", retryAfterSeconds: Math.ceil(wait / 1000) };
    const identity = await this.#identify(authorization);
    if (identity === undefined) {
      this.#noteFailure(remoteAddress);
      return { t: "unknown", reason: "the API key or token is not known, has expired or was revoked" };
    }
    if (addressesOf[identity.role]?.includes(remoteAddress) === false) {
      return {
        t: "kept-out",
        reason: `role ${identity.role} may not come from this address (access.role_addresses)`,
      };
    }
    return { t: "known", identity };
  }

  async #identify(authorization: string): Promise<Identity | undefined> {
    const [, token = ""] = /^Bearer +(\S+)$/i.exec(authorization) ?? [];
    if (isSecret(token)) return await this.#byKey(token);
    const { verifyOidc, log } = this.#options;
    if (verifyOidc === undefined || token === "") return undefined;
    try {
      return await verifyOidc(token);
    } catch (error) {
      log.info({ event: "token_refused", error: describeError(error) }, "a token was refused");
      return undefined;
    }
  }

  async #byKey(secret: string): Promise<Identity | undefined> {
    if (this.#isAdminKey(secret)) return { name: "admin_key_file", role: "admin", by: "api-key" };
    const key = await this.#options.keys.verify(secret);
    if (key === undefined || key.role === "agent") return undefined;
    return { name: key.name, role: key.role, by: "api-key" };
  }

  /** Read each time: the file may be replaced. */
  #isAdminKey(secret: string): boolean {
    const { adminKeyFile, log } = this.#options;
    if (adminKeyFile === undefined) return false;
    try {
      const kept = readFileSync(adminKeyFile, "utf8").trim();
      return timingSafeEqual(Buffer.from(hashSecret(kept)), Buffer.from(hashSecret(secret)));
    } catch (error) {
      log.error(
        { event: "admin_key_unreadable", error: describeError(error) },
        "access.admin_key_file cannot be read",
      );
      return false;
    }
  }

  /** Milliseconds until an address may try again. */
  #waitOf(address: string): number {
    const failed = this.#failures.get(address);
    if (failed === undefined) return 0;
    const left = failed.since + failureWindowMs - this.#options.clock.monotonic();
    if (left <= 0) this.#failures.delete(address);
    return failed.count >= maxFailures ? Math.max(0, left) : 0;
  }

  #noteFailure(address: string): void {
    const now = this.#options.clock.monotonic();
    const failed = this.#failures.get(address) ?? { count: 0, since: now };
    this.#failures.set(address, { ...failed, count: failed.count + 1 });
    // Addresses whose minute is over, so that a flood from many does not stay in memory.
    if (this.#failures.size > 10_000) {
      for (const [each, { since }] of this.#failures)
        if (now - since > failureWindowMs) this.#failures.delete(each);
    }
  }
}
