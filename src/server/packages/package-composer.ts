import type { Connection } from "../fleet/agent.ts";
import type { Composer } from "../offers/lane.ts";
import type { PackageCatalogue } from "./catalogue.ts";
import { downloadPath } from "./downloads.ts";
import { type PackageSet, packagesAvailable } from "./package-set.ts";

export interface PackageComposerOptions {
  catalogue: PackageCatalogue;
  /** Of the packages folder as Agents see it; undefined: on the address they reached this server at. */
  url: string | undefined;
  /** Whether that is by TLS. */
  secure: boolean;
  headers: Readonly<Record<string, readonly string[]>>;
}

/** Makes offers of packages whose files are still the ones that were chosen. */
export function packageComposer(options: PackageComposerOptions): Composer<PackageSet> {
  const { catalogue, headers } = options;
  return {
    obstacle: (set) => missingFile(catalogue, set),
    compose(set, connection) {
      const baseUrl = baseUrlFor(connection, options);
      if (baseUrl === undefined) {
        return { impossible: "names no host that it reached this server at: set packages.url" };
      }
      return { part: packagesAvailable(set, { baseUrl, headers }) };
    },
  };
}

/** Without a packages folder nothing is ever assigned. */
export const noPackages: Composer<PackageSet> = {
  compose: () => ({ impossible: "packages are off: set packages.directory" }),
};

function missingFile(catalogue: PackageCatalogue, { packages }: PackageSet): string | undefined {
  const missing = packages.find(({ name, version, fileName, sha256 }) => {
    const held = catalogue.find(name, version);
    return held?.sha256 !== sha256 || held.fileName !== fileName;
  });
  if (missing === undefined) return undefined;
  return `${missing.name} ${missing.version} is gone or has changed since it was offered: offer it again`;
}

function baseUrlFor({ headers }: Connection, { url, secure }: PackageComposerOptions): string | undefined {
  if (url !== undefined) return url.replace(/\/+$/, "");
  const base = `${secure ? "https" : "http"}://${headers.host ?? ""}`;
  // Nothing but a host: it comes from outside.
  return /^[\w.:[\]-]+$/.test(headers.host ?? "") && URL.canParse(base)
    ? `${base}${downloadPath}`
    : undefined;
}
