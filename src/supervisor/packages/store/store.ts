import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { OfferedPackage } from "../offer.ts";
import { clearUnfinished, listFolder, makeFolder } from "./folder.ts";
import type { HeldPackage } from "./held-package.ts";
import { CurrentLink, type PackageSet, Sets } from "./sets.ts";
import { type StoreDeps, Versions } from "./versions.ts";

export type { HeldPackage, PackageSet };

/**
 * The folder `packages` of the storage directory, for one owner:
 * - `downloads/SHA256.part`, files that are fetched or being fetched;
 * - `versions/FOLDER/ID/`, packages unpacked, with what they are in `ID.json` (FOLDER is the name, `_` for "");
 * - `sets/ID/NAME`, links to the packages that make a set;
 * - `current`, the link to the set in use.
 *
 * kill -9 or a full disk at any point leaves each of them as it was or as it was to be. Folders and files
 * may be read by all: who may reach them at all is decided by the storage directory above.
 */
export class PackageStore {
  readonly #downloads: string;
  readonly #versions: Versions;
  readonly #sets: Sets;
  readonly #current: CurrentLink;

  private constructor(parts: { downloads: string; versions: Versions; sets: Sets; current: CurrentLink }) {
    this.#downloads = parts.downloads;
    this.#versions = parts.versions;
    this.#sets = parts.sets;
    this.#current = parts.current;
  }

  /**
   * Creates what is missing, removes what a crash left unfinished, and sets aside what is damaged, unless it
   * is in use.
   * @throws system errors when the directory cannot be used.
   */
  static async open(directory: string, deps: StoreDeps): Promise<PackageStore> {
    const downloads = join(directory, "downloads");
    await makeFolder(directory);
    await makeFolder(downloads, 0o700);
    await clearUnfinished(directory);
    await clearUnfinished(downloads);
    const current = new CurrentLink(directory);
    await current.prepare(deps);
    const versions = await Versions.open(join(directory, "versions"), deps, await current.keys());
    const sets = new Sets(join(directory, "sets"), versions);
    return new PackageStore({ downloads, versions, sets, current });
  }

  /** Where the file with this content is downloaded to; what is needed to resume lies beside it as `.json`. */
  downloadPath(sha256: string): string {
    return join(this.#downloads, `${sha256}.part`);
  }

  /**
   * The package that satisfies the offer without anything being fetched: the same one (AP3), or one of the same
   * content (AP5), which then gets the offered version and hash.
   */
  find(offered: OfferedPackage): Promise<HeldPackage | undefined> {
    return this.#versions.find(offered);
  }

  /**
   * Unpacks a file whose hash and signature are verified. What is here already and whole is not unpacked again.
   * @throws PackageProblem when the package is at fault, system errors when this host is.
   */
  admit(offered: OfferedPackage, file: string, how: { signed: boolean }): Promise<HeldPackage> {
    return this.#versions.admit(offered, file, how);
  }

  /**
   * The set of these packages; undefined for none.
   * @throws Error when one of them was damaged meanwhile: it is not held any more then.
   */
  async makeSet(packages: readonly HeldPackage[]): Promise<PackageSet | undefined> {
    return packages.length === 0 ? undefined : this.#sets.make(packages);
  }

  /** undefined when there is no such set, or anything of it is missing or damaged. */
  loadSet(id: string): Promise<PackageSet | undefined> {
    return this.#sets.load(id);
  }

  /** Makes `currentPath` this set, or an empty folder, atomically. */
  flip(set: Pick<PackageSet, "id"> | undefined): Promise<void> {
    return this.#current.pointTo(set?.id);
  }

  /** The set in use as a path that stays the same; always a folder. */
  get currentPath(): string {
    return this.#current.path;
  }

  /** Id of the set that `currentPath` is, by what is on disk. */
  currentId(): Promise<string | undefined> {
    return this.#current.target();
  }

  /**
   * Deletes the other sets, the versions that no set needs, and the other downloads; what is in use stays. Not
   * to be called between `admit` and the end of `makeSet`.
   */
  async keepOnly(setIds: ReadonlySet<string>, sha256s: ReadonlySet<string>): Promise<void> {
    const inUse = await this.#current.target();
    const needed = await this.#sets.keepOnly(inUse === undefined ? setIds : new Set([...setIds, inUse]));
    await this.#versions.keepOnly(needed);
    for (const name of await listFolder(this.#downloads)) {
      const sha256 = /^([0-9a-f]{64})\.part/.exec(name)?.[1];
      if (sha256 !== undefined && !sha256s.has(sha256))
        await rm(join(this.#downloads, name), { recursive: true, force: true });
    }
  }
}
