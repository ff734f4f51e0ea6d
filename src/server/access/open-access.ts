import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../foundation/clock.ts";
import { errorCode } from "../../foundation/errors.ts";
import type { Logger } from "../../foundation/logger.ts";
import { isLoopback } from "../../foundation/loopback.ts";
import type { ListenAddress } from "../../foundation/settings-file/listen-address.ts";
import type { AccessSettings, StorageSettings } from "../settings/server-settings.ts";
import type { Database } from "../storage/database.ts";
import { AddressList } from "./address-list.ts";
import { agentJwtVerifier } from "./agent-jwt.ts";
import { AgentAccess } from "./agents.ts";
import { newSecret } from "./credential.ts";
import { ApiKeys } from "./keys.ts";
import { LiveCredentials } from "./live-credentials.ts";
import { oidcVerifier } from "./oidc.ts";
import { People } from "./people.ts";

export interface Access {
  keys: ApiKeys;
  people: People;
  agents: AgentAccess;
  live: LiveCredentials;
}

export interface AccessOptions {
  settings: AccessSettings;
  storage: StorageSettings;
  management: ListenAddress;
  database: Database;
  /** Whether a certificate of an Agent counts no longer, by its fingerprint. */
  isRevoked: (fingerprint: string) => Promise<boolean>;
  clock: Clock;
  log: Logger;
}

/**
 * Who may do what, by the settings.
 * @throws Error that names the setting, when its file cannot be used.
 */
export function openAccess({
  settings,
  storage,
  management,
  database,
  isRevoked,
  clock,
  log,
}: AccessOptions): Access {
  const keys = new ApiKeys({ database, clock });
  const live = new LiveCredentials();
  keys.onRevoked((id) => live.revoke(id));
  const open = isOpen(settings, management);
  const { oidc, agents, roleAddresses } = settings;
  const adminKeyFile = settings.adminKeyFile ?? (open || oidc ? undefined : firstAdminKey(storage, log));
  if (open) {
    log.warn(
      { event: "management_open" },
      "whoever can reach the management listener on this machine may do everything: set access.admin_key_file or access.required",
    );
  }
  const people = new People({
    keys,
    adminKeyFile,
    verifyOidc: oidc && oidcVerifier(oidc),
    open,
    addresses: listOf(settings.addresses),
    addressesOf: {
      viewer: listOf(roleAddresses.viewer),
      operator: listOf(roleAddresses.operator),
      admin: listOf(roleAddresses.admin),
    },
    clock,
    log,
  });
  const agentAccess = new AgentAccess({
    keys,
    verifyJwt: agents.jwt && agentJwtVerifier(agents.jwt),
    required: agents.required,
    addresses: listOf(agents.addresses),
    isRevoked,
    log,
  });
  return { keys, people, agents: agentAccess, live };
}

const listOf = (entries: readonly string[] | undefined) => entries && new AddressList(entries);

/** A listener that only this machine reaches may do without keys, as long as none are set up. */
function isOpen({ required, adminKeyFile, oidc }: AccessSettings, { host }: ListenAddress): boolean {
  if (!isLoopback(host) || required === true) return false;
  return required === false || (adminKeyFile === undefined && oidc === undefined);
}

/** The key by which the first keys are made; in a file, since a log is read by others. */
function firstAdminKey({ directory }: StorageSettings, log: Logger): string | undefined {
  if (directory === undefined) {
    log.warn(
      { event: "no_admin_key" },
      "nobody can use the management API: set access.admin_key_file or access.oidc",
    );
    return undefined;
  }
  const file = join(directory, "admin-key");
  try {
    writeFileSync(file, `${newSecret()}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  log.info({ event: "admin_key", file }, "an API key of role admin is in this file");
  return file;
}
