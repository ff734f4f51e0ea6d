import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { ServerEvents } from "../events.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { CertificateSettings } from "../settings/server-settings.ts";
import type { Database } from "../storage/database.ts";
import type { Authority } from "./authority.ts";
import type { CertificateOfferOptions } from "./certificate-offer.ts";
import { CertificateRows } from "./certificate-rows.ts";
import { Certificates } from "./certificates.ts";
import { Issuing } from "./issuing.ts";
import { CertificateRegister } from "./register.ts";
import { CertificateUpkeep } from "./upkeep.ts";

export interface CertificateRoom {
  rows: CertificateRows;
  register: CertificateRegister;
  certificates: Certificates;
  /** Undefined: no authority is set up. */
  issuing: Issuing | undefined;
  close(): Promise<void>;
}

export interface OpenCertificatesOptions {
  settings: CertificateSettings;
  authority: Authority | undefined;
  offer: CertificateOfferOptions;
  fleet: Fleet;
  database: Database;
  clock: Clock;
  log: Logger;
  events: ServerEvents;
  /** Closes what a credential opened here. */
  cut: (fingerprint: string) => void;
}

/** The certificates of Agents, by the settings. */
export function openCertificates({
  settings,
  authority,
  offer,
  fleet,
  database,
  clock,
  log,
  events,
  cut,
}: OpenCertificatesOptions): CertificateRoom {
  const rows = new CertificateRows(database);
  const register = new CertificateRegister({ rows, clock, log, events, cut });
  const { approval, lifetimeMs, renewBeforeMs } = settings;
  const issuing = authority && new Issuing({ authority, rows, approval, lifetimeMs, clock, log, events });
  const certificates = new Certificates({
    issuing: issuing && authority && { issuing, authority: authority.cert },
    register,
    fleet,
    offer,
    log,
  });
  const upkeep = new CertificateUpkeep({
    rows,
    issuing,
    certificates,
    fleet,
    renewBeforeMs,
    cut,
    clock,
    log,
    events,
  });
  return { rows, register, certificates, issuing, close: () => upkeep.close() };
}
