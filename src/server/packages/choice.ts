import type { PackageCatalogue } from "./catalogue.ts";
import type { PackageFile } from "./package-file.ts";
import { createPackageSet, type PackageSet } from "./package-set.ts";

/** A choice of packages that cannot be offered; the message names the package and what there is. */
export class PackageChoiceError extends Error {
  override readonly name = "PackageChoiceError";
}

/** The set of these versions by package name, as the catalogue has them now. @throws PackageChoiceError */
export function choosePackages(
  catalogue: PackageCatalogue,
  wanted: Readonly<Record<string, string>>,
): PackageSet {
  const files = Object.entries(wanted).map(([name, version]) => choose(catalogue, name, version));
  const programs = files.filter(({ type }) => type === "top-level");
  if (programs.length > 1) {
    const names = programs.map(({ name }) => name).join(" and ");
    throw new PackageChoiceError(
      `${names} are both top-level packages, of which an agent has one: offer one, or write "type: addon" into a package.yaml`,
    );
  }
  return createPackageSet(files);
}

function choose(catalogue: PackageCatalogue, name: string, version: string): PackageFile {
  const file = catalogue.find(name, version);
  if (file !== undefined) return file;
  const versions = catalogue.files.filter((each) => each.name === name).map((each) => each.version);
  const known =
    versions.length > 0
      ? `there is ${versions.join(", ")}`
      : `there is ${listed(new Set(catalogue.files.map((each) => each.name)))}`;
  const wanted = `no package ${JSON.stringify(name)} of version ${JSON.stringify(version)}`;
  throw new PackageChoiceError(`${wanted}: ${reasonFor(catalogue, name, version) ?? known}`);
}

/** Why it is not in the catalogue although it is in the folder. */
function reasonFor(catalogue: PackageCatalogue, name: string, version: string): string | undefined {
  const places = [`/${name}/${version}`, `/${name}/package.yaml`];
  const left = [...catalogue.problems, ...catalogue.waiting].find(({ path }) =>
    places.some((place) => path.endsWith(place) || path.includes(`${place}/`)),
  );
  return left === undefined ? undefined : `${left.path}: ${left.reason}`;
}

function listed(names: ReadonlySet<string>): string {
  return names.size === 0 ? "none in the folder" : [...names].join(", ");
}
