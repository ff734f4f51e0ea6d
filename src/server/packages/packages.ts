import type { Clock } from "../../foundation/clock.ts";
import type { Logger } from "../../foundation/logger.ts";
import type { Composer } from "../offers/lane.ts";
import type { PackagesSettings } from "../settings/server-settings.ts";
import { PackageCatalogue } from "./catalogue.ts";
import { PackageDownloads } from "./downloads.ts";
import { packageComposer } from "./package-composer.ts";
import type { PackageSet } from "./package-set.ts";

/** The packages of a server: what there is, how it is offered and how it is downloaded. */
export interface Packages {
  readonly catalogue: PackageCatalogue;
  readonly composer: Composer<PackageSet>;
  readonly downloads: PackageDownloads;
  /** Resolves when no file is open any longer. The connections have to be closed first. */
  close(): Promise<void>;
}

export interface PackagesDependencies {
  /** Whether Agents reach the server by TLS. */
  secure: boolean;
  clock: Clock;
  log: Logger;
}

/** Begins to read the packages folder. */
export function openPackages(
  { directory, url, headers, maxDownloads }: PackagesSettings,
  { secure, clock, log }: PackagesDependencies,
): Packages {
  const catalogue = new PackageCatalogue({ directory, clock, log });
  // Where another server hands them out, these headers are its business.
  const requiredHeaders = url === undefined ? headers : {};
  const downloads = new PackageDownloads({ catalogue, requiredHeaders, maxDownloads, clock, log });
  return {
    catalogue,
    composer: packageComposer({ catalogue, url, secure, headers }),
    downloads,
    async close() {
      await Promise.all([catalogue.close(), downloads.idle()]);
    },
  };
}
